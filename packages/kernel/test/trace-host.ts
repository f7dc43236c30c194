/** Namespaces for tests of packet tracing, and a probe that is observed in all of them. */
import assert from 'node:assert/strict';
import {
  type ProbeRequest,
  type ProbeResult,
  packetTracing,
  type RuleTraceMessage,
  type TappedPacket,
} from '@netyard/kernel';
import { pings, serve, sh } from '@netyard/testkit';

export const tracing = packetTracing();
export const [a, b, far] = ['/run/netns/a', '/run/netns/b', '/run/netns/far'];
/** Milliseconds: exceeded only by a hang. */
export const patience = 30_000;

/** a and b on the bridge br0 of this namespace, which routes to far; IPv4 and IPv6. */
export async function addNamespaces(): Promise<void> {
  sh(`set -e
    ip link add br0 address 02:00:00:00:09:01 type bridge; ip address add 10.9.0.1/24 dev br0; ip address add fd09::1/64 dev br0 nodad
    ip link set br0 up; sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
    sysctl -qw net.ipv4.icmp_ratelimit=0 # the kernel limits ICMP errors per destination
    add() { ip netns add $1; ip link add v$1 type veth peer name eth0 netns $1; ip link set v$1 up
      ip -n $1 link set lo up; ip -n $1 address add $2 dev eth0; ip -n $1 address add $3 dev eth0 nodad
      ip -n $1 link set eth0 up; ip -n $1 route add default via $4; ip -n $1 route add default via $5; }
    add a 10.9.0.2/24 fd09::2/64 10.9.0.1 fd09::1; add b 10.9.0.3/24 fd09::3/64 10.9.0.1 fd09::1
    ip link set va master br0; ip link set vb master br0
    add far 10.8.0.2/24 fd08::2/64 10.8.0.1 fd08::1
    ip address add 10.8.0.1/24 dev vfar; ip address add fd08::1/64 dev vfar nodad`);
  await serve(b, 'tcp', 80, 'b');
  await serve(b, 'tcp', 80, 'b', { family: 6 });
  await serve(far, 'tcp', 80, 'far');
  await serve(far, 'udp', 53, 'far');
  for (const address of ['10.9.0.3', '10.8.0.2', 'fd09::3', 'fd08::2']) assert.ok(pings(a, address), address);
}

export const macOf = (ns: string | undefined, link: string): string =>
  sh(`ip ${ns === undefined ? '' : `-n ${ns}`} -o link show dev ${link}`).replace(/.*link\/ether (\S+) .*/s, '$1');
export const table = (text: string): string => sh(`nft -f - <<'N'\n${text}\nN`);

export interface Observed {
  result: ProbeResult;
  /** Without the messages of the trace's own table. */
  steps: RuleTraceMessage[];
  all: RuleTraceMessage[];
  packets: Record<'a' | 'host' | 'b' | 'far', TappedPacket[]>;
}

/** Sends a probe with everything armed in all namespaces; rules are those of this namespace. */
export async function observe(request: ProbeRequest, timeoutMs = patience): Promise<Observed> {
  const probe = tracing.openProbe(request);
  const { match } = probe;
  const places = { a, host: undefined, b, far };
  const taps = Object.entries(places).map(([name, ns]) => ({
    name,
    tap: tracing.openTap({ match, ...(ns === undefined ? {} : { ns }) }),
  }));
  const rules = tracing.openRuleTrace({ match });
  try {
    const result = await probe.send(timeoutMs);
    const all = rules.read();
    assert.equal(rules.incomplete, false);
    for (const { tap } of taps) assert.equal(tap.dropped, 0);
    const packets = Object.fromEntries(taps.map(({ name, tap }) => [name, tap.read()]));
    return { result, all, steps: all.filter(({ own }) => !own), packets: packets as Observed['packets'] };
  } finally {
    rules.close();
    for (const { tap } of taps) tap.close();
    probe.close();
  }
}
