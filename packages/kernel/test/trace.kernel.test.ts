/** Traces real probes through rules and links of several namespaces. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { afterEach, before, test } from 'node:test';
import { hasErrno, type TappedPacket } from '@netyard/kernel';
import { eventually, inFreshHost, pings, sh, succeeds } from '@netyard/testkit';
import { a, addNamespaces, b, observe, patience, table, tracing } from './trace-host.ts';

const host = inFreshHost(import.meta.url);
const descriptors = (): number => readdirSync('/proc/self/fd').length;
let descriptorsBefore = 0;
before(async () => {
  if (host.skip === false) await addNamespaces();
  descriptorsBefore = descriptors();
});
afterEach(() => {
  if (host.skip === false) sh('nft flush ruleset');
});

const flagsOf = ({ headers }: TappedPacket): string => headers.tcp?.flags.join('+') ?? `${headers.protocol}`;
const hop = (packet: TappedPacket): string => `${packet.link} ${packet.direction} ${flagsOf(packet)}`;

test('taps see each hop in order, both ways, across veth pairs, a bridge and a router', host, async () => {
  const { result, packets } = await observe({ ns: a, protocol: 'tcp', destination: '10.8.0.2', port: 80 });
  assert.deepEqual(result, { outcome: 'connected', source: '10.9.0.2' });
  assert.deepEqual(packets.a.map(hop).slice(0, 3), ['eth0 out SYN', 'eth0 in SYN+ACK', 'eth0 out ACK']);
  assert.deepEqual(packets.host.map(hop).slice(0, 6), [
    ...['va other SYN', 'br0 in SYN', 'vfar out SYN'],
    ...['vfar in SYN+ACK', 'br0 out SYN+ACK', 'va out SYN+ACK'],
  ]);
  assert.deepEqual(packets.far.map(hop).slice(0, 2), ['eth0 in SYN', 'eth0 out SYN+ACK']);
  assert.deepEqual(packets.b, []);
  const [first] = packets.a;
  const ids = [packets.a[0], packets.host[0], packets.host[2], packets.far[0]].map((packet) => packet?.headers.ipId);
  assert.deepEqual(ids, new Array(4).fill(first?.headers.ipId), 'the IP identification is the same everywhere');
  assert.deepEqual([packets.host[1]?.headers.ttl, packets.host[2]?.headers.ttl], [64, 63]);
  assert.equal(first?.macs?.destination, '02:00:00:00:09:01');
});

test('a dropped packet is reported with table, chain, rule and verdict, and nothing follows', host, async () => {
  table(`table inet fw {
    chain forw {
      type filter hook forward priority 0; policy accept;
      ct state established accept
      jump guard
    }
    chain guard {
      tcp dport 81 counter drop comment "no 81"
    }
  }`);
  const { result, steps, packets } = await observe({ ns: a, protocol: 'tcp', destination: '10.8.0.2', port: 81 }, 300);
  assert.equal(result.outcome, 'timeout');
  const [jump, drop] = steps;
  assert.deepEqual(
    [jump?.family, jump?.table, jump?.chain, jump?.hook, jump?.verdict, jump?.target, jump?.rule?.text],
    ['inet', 'fw', 'forw', 'forward', 'jump', 'guard', 'jump guard'],
  );
  assert.deepEqual([jump?.iif, jump?.oif, jump?.headers?.destinationPort], ['br0', 'vfar', 81]);
  assert.deepEqual([drop?.chain, drop?.type, drop?.verdict, drop?.hook], ['guard', 'rule', 'drop', undefined]);
  assert.deepEqual([drop?.rule?.text, drop?.rule?.comment], ['tcp dport 81 counter drop', 'no 81']);
  assert.equal(drop?.traceId, jump?.traceId);
  assert.ok(steps.every(({ table }) => table === 'fw'));
  assert.deepEqual(packets.host.map(hop).slice(0, 2), ['va other SYN', 'br0 in SYN']);
  assert.deepEqual(packets.far, []);
});

test('the policy of a chain is reported as what dropped a packet', host, async () => {
  table('table ip fw {\n chain forw {\n type filter hook forward priority 0; policy drop;\n }\n}');
  const { steps } = await observe({ ns: a, protocol: 'udp', destination: '10.8.0.2', port: 53 }, 200);
  const last = steps.at(-1);
  assert.deepEqual([last?.table, last?.chain, last?.type, last?.verdict], ['fw', 'forw', 'policy', 'drop']);
});

test('a translated connection is followed through DNAT and masquerading, and found in conntrack', host, async () => {
  table(`table ip nat {
    chain pre {
      type nat hook prerouting priority dstnat;
      tcp dport 8080 dnat to 10.8.0.2:80
    }
    chain post {
      type nat hook postrouting priority srcnat;
      oifname "vfar" masquerade
    }
  }`);
  const { result, steps, packets } = await observe({ ns: a, protocol: 'tcp', destination: '10.9.0.1', port: 8080 });
  assert.equal(result.outcome, 'connected');
  const rules = steps.filter(({ type }) => type === 'rule');
  assert.deepEqual(
    rules.map(({ hook, rule, conntrack }) => [hook, rule?.text, conntrack?.sourceNat, conntrack?.destinationNat]),
    [
      ['prerouting', 'tcp dport 8080 dnat to 10.8.0.2:80', false, true],
      ['postrouting', 'oifname "vfar" masquerade', true, true],
    ],
  );
  assert.ok(rules.every(({ conntrack }) => conntrack?.state === 'new' && conntrack.direction === 'original'));
  const [, , sent] = packets.host;
  assert.deepEqual([sent?.headers.source, sent?.headers.destination], ['10.8.0.1', '10.8.0.2']);
  assert.equal(sent?.headers.destinationPort, 80);
  const port = packets.a[0]?.headers.sourcePort ?? 0;
  const tuple = { source: '10.9.0.2', destination: '10.9.0.1', sourcePort: port, destinationPort: 8080 };
  const connection = tracing.findConnection({ protocol: 'tcp', ...tuple });
  assert.equal(connection?.id, rules[0]?.conntrack?.id);
  assert.deepEqual(connection?.original, tuple);
  const reply = { source: '10.8.0.2', destination: '10.8.0.1', sourcePort: 80, destinationPort: port };
  assert.deepEqual(connection?.reply, reply);
  assert.deepEqual([connection?.sourceNat, connection?.destinationNat, connection?.replied], [true, true, true]);
  assert.equal(tracing.findConnection({ protocol: 'udp', ...tuple }), undefined);
});

test('IPv6 and echo requests are traced alike, and a rule of the bridge is reported', host, async () => {
  table(`table bridge br {
    chain forw {
      type filter hook forward priority 0; policy accept;
      ether type ip6 counter accept
    }
  }`);
  const tcp = await observe({ ns: a, protocol: 'tcp', destination: 'fd09::3', port: 80 });
  assert.deepEqual(tcp.result, { outcome: 'connected', source: 'fd09::2' });
  assert.deepEqual(tcp.packets.host.map(hop).slice(0, 3), ['va other SYN', 'vb out SYN', 'vb other SYN+ACK']);
  const accept = tcp.steps.find(({ table }) => table === 'br');
  assert.deepEqual(
    [accept?.family, accept?.rule?.text, accept?.iif],
    ['bridge', 'ether type ip6 counter accept', 'va'],
  );
  for (const destination of ['10.8.0.2', 'fd08::2', '10.9.0.1']) {
    const { result, packets, all } = await observe({ ns: a, protocol: 'icmp', destination });
    assert.equal(result.outcome, 'answered', destination);
    assert.deepEqual(
      packets.a.map(({ direction }) => direction),
      ['out', 'in'],
    );
    assert.equal(packets.host[0]?.headers.icmp?.id, all[0]?.headers?.icmp?.id);
  }
});

test('an ICMP error about the probe is tapped with what it quotes, and its rules are traced', host, async () => {
  sh('ip route add prohibit 10.77.0.0/16');
  table('table ip fw {\n chain out {\n type filter hook output priority 0; ip protocol icmp counter accept\n }\n}');
  const { packets, steps } = await observe({ ns: a, protocol: 'udp', destination: '10.77.0.1', port: 99 });
  const error = packets.a.find(({ headers }) => headers.icmp !== undefined);
  assert.deepEqual([error?.headers.icmp?.about?.destination, error?.headers.source], ['10.77.0.1', '10.9.0.1']);
  const accept = steps.find(({ table, type }) => table === 'fw' && type === 'rule');
  assert.deepEqual([accept?.rule?.text, accept?.headers?.icmp?.code], ['ip protocol icmp counter accept', 13]);
});

test('a probe in a VXLAN tunnel is found on the underlay, with the rule that drops the tunnel', host, async () => {
  const tunnel = (ns: string, local: string, remote: string, address: string) =>
    `ip -n ${ns} link add vx type vxlan id 7 local ${local} remote ${remote} dstport 4789 dev eth0
     ip -n ${ns} address add ${address}/24 dev vx; ip -n ${ns} link set vx up`;
  sh(
    `set -e; ${tunnel('a', '10.9.0.2', '10.8.0.2', '10.7.0.2')}; ${tunnel('far', '10.8.0.2', '10.9.0.2', '10.7.0.3')}`,
  );
  assert.ok(pings(a, '10.7.0.3'));
  const { result, packets } = await observe({ ns: a, protocol: 'tcp', destination: '10.7.0.3', port: 80 });
  assert.equal(result.outcome, 'connected');
  assert.deepEqual(packets.a.map(({ link, direction }) => `${link} ${direction}`).slice(0, 2), ['vx out', 'eth0 out']);
  const outer = packets.host[0]?.headers;
  assert.deepEqual([outer?.source, outer?.destinationPort, outer?.inner?.destination], ['10.9.0.2', 4789, '10.7.0.3']);
  assert.deepEqual(outer?.inner?.tcp?.flags, ['SYN']);
  table('table ip fw {\n chain forw {\n type filter hook forward priority 0; udp dport 4789 drop\n }\n}');
  const { steps, packets: lost } = await observe({ ns: a, protocol: 'tcp', destination: '10.7.0.3', port: 80 }, 100);
  assert.deepEqual(
    steps.map(({ rule, verdict }) => [rule?.text, verdict]),
    [['udp dport 4789 drop', 'drop']],
  );
  assert.deepEqual(lost.far, []);
  sh('ip -n a link del vx; ip -n far link del vx');
});

test('other traffic is neither traced nor tapped, not even that of another trace', host, async () => {
  table('table ip fw {\n chain forw {\n type filter hook forward priority 0; counter accept\n }\n}');
  const request = { ns: a, protocol: 'tcp', destination: '10.8.0.2', port: 80 } as const;
  const [one, two] = [tracing.openProbe(request), tracing.openProbe(request)];
  const traces = [tracing.openRuleTrace(one), tracing.openRuleTrace(two)] as const;
  const taps = [tracing.openTap(one), tracing.openTap(two)] as const;
  assert.ok(pings(a, '10.8.0.2'));
  assert.deepEqual([traces[0].read(), taps[0].read()], [[], []]);
  assert.equal((await two.send(patience)).outcome, 'connected');
  assert.deepEqual([traces[0].read(), taps[0].read()], [[], []]);
  assert.ok(traces[1].read().some(({ table }) => table === 'fw') && taps[1].read().length > 0);
  for (const handle of [one, two, ...traces, ...taps]) handle.close();
});

const tables = (): string => sh('nft list tables');

test('a disarmed trace has no table, and still reports what was traced before', host, async () => {
  table('table ip fw {\n chain forw {\n type filter hook forward priority 0; tcp dport 81 drop\n }\n}');
  const request = { ns: a, protocol: 'tcp', destination: '10.8.0.2', port: 81 } as const;
  const probe = tracing.openProbe(request);
  const trace = tracing.openRuleTrace(probe);
  const sent = probe.send(patience, AbortSignal.timeout(100));
  trace.disarm();
  trace.disarm();
  assert.equal(tables(), 'table ip fw\n');
  assert.deepEqual(
    trace.read().flatMap(({ own, rule }) => (own ? [] : [rule?.text])),
    ['tcp dport 81 drop'],
  );
  assert.deepEqual(await sent, { outcome: 'timeout', source: '10.9.0.2' }, 'not waited for any longer');
  for (const handle of [trace, probe]) handle.close();
});

test('closing leaves no table and no descriptor, also when a namespace is deleted meanwhile', host, async () => {
  sh('ip netns add gone; ip -n gone link set lo up');
  table('table bridge fw {\n chain forw {\n type filter hook forward priority 0\n }\n}');
  const gone = '/run/netns/gone';
  const probe = tracing.openProbe({ ns: gone, protocol: 'tcp', destination: '127.0.0.1', port: 9 });
  const handles = [tracing.openRuleTrace({ ns: gone, match: probe.match }), tracing.openTap({ ns: gone, ...probe })];
  const [trace, tap] = [tracing.openRuleTrace(probe), tracing.openTap(probe)];
  assert.match(tables(), /table inet netyard_trace_\w+\ntable bridge netyard_trace_\w+/);
  sh('nft delete table bridge fw');
  assert.ok(!succeeds(undefined, 'nft', 'flush', 'ruleset') || /netyard_trace_/.test(tables()), 'not flushed');
  sh('ip netns del gone');
  assert.deepEqual((await probe.send(patience)).outcome, 'refused');
  for (const handle of [...handles, trace, tap, ...handles, trace, tap, probe]) handle.close();
  assert.deepEqual([trace.read(), tap.read(), tables()], [[], [], '']);
  await eventually('all descriptors are closed', () => descriptors() === descriptorsBefore);
  assert.throws(
    () => tracing.openTap({ ns: gone, match: probe.match }),
    (error) => hasErrno(error, 'ENOENT'),
  );
});

test('a killed process leaves no table and no socket behind', host, async () => {
  sh('ip netns exec b nft "add table ip fw; add chain ip fw in { type filter hook input priority 0; }"');
  const script = `
    import { packetTracing } from '@netyard/kernel';
    import { spawn } from 'node:child_process';
    const tracing = packetTracing();
    const probe = tracing.openProbe({ ns: '${a}', protocol: 'tcp', destination: '10.8.0.2', port: 80 });
    tracing.openRuleTrace({ ns: '${b}', match: probe.match });
    tracing.openTap({ ns: '${b}', match: probe.match });
    spawn('sleep', ['1000'], { stdio: 'ignore', detached: true }); // inherits nothing
    console.log('armed');
    setInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: import.meta.dirname,
  });
  await once(child.stdout, 'data');
  assert.match(sh('ip netns exec b nft list tables'), /inet netyard_trace_/);
  assert.match(sh('ip netns exec b ss -0 -a -n'), /\*/);
  child.kill('SIGKILL');
  await once(child, 'close');
  await eventually('the table is deleted', () => sh('ip netns exec b nft list tables') === 'table ip fw\n');
  sh('ip netns exec b nft delete table ip fw');
  assert.equal(sh('ip netns exec b cat /proc/net/packet | wc -l').trim(), '1');
  assert.equal(sh('ip netns exec a ss -H -a -n -t | wc -l').trim(), '0');
});
