import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HostTopology, ListeningSocket } from '@netyard/topology';
import { findEnd } from '../src/ends.ts';
import type { TraceCase } from '../src/explain/case.ts';
import { explain } from '../src/explain/explain.ts';
import type { KernelDrop, RuleVerdict, TraceEvidence } from '../src/model.ts';
import { predictPath } from '../src/predict.ts';
import { extend, hostLink, hostWith } from './host-fixture.ts';

const listener = (address: string, port: number, rest: Partial<ListeningSocket> = {}): ListeningSocket => ({
  ...{ protocol: 'tcp', address, port, v6only: false, waiting: 0, backlog: 128, process: { pid: 7, name: 'nginx' } },
  ...rest,
});
const a = { name: 'a', network: 'bridge', address: '172.17.0.2' };
const web = { name: 'web', network: 'bridge', address: '172.17.0.3', sockets: [listener('0.0.0.0', 80)] };
const far = { name: 'far', network: 'back', address: '172.20.0.2' };

const silence: TraceEvidence = {
  ...{ sightings: [], verdicts: [], counters: [], drops: [], neighbours: [], incomplete: [] },
  probe: { outcome: 'timeout', ms: 1200 },
};

function ask(topology: HostTopology, to: string, port: number, evidence?: Partial<TraceEvidence>): TraceCase {
  const from = findEnd(topology, 'a');
  const target = findEnd(topology, to);
  assert.ok(from?.namespace && target);
  const destination = target.addresses[0] ?? '';
  const packet = { protocol: 'tcp', source: from.addresses[0] ?? '', destination, destinationPort: port } as const;
  return {
    ...{ request: { from: 'a', to, port, protocol: 'tcp' }, topology, from, to: target, packet },
    path: predictPath(topology, from.namespace, packet),
    ...(evidence ? { evidence: { ...silence, ...evidence } } : {}),
  };
}

const arrived = (namespaceId: string): TraceEvidence['sightings'] => [
  {
    ...{ namespaceId, link: 'eth0', direction: 'in', atMs: 0.1, isAnswer: false, flags: 'S' },
    packet: { protocol: 'tcp', destination: '172.17.0.3', destinationPort: 80 },
  },
];

const drop = (rest: Partial<RuleVerdict>): RuleVerdict => ({
  ...{ namespaceId: '1', family: 'ip', table: 'netyard', chain: 'to_bridge', rule: 'drop', verdict: 'drop' },
  ...{ input: 'docker0', output: 'docker0', atMs: 0.1, isAnswer: false, flags: 'S' },
  ...rest,
});

const sentence = (trace: TraceCase): string => explain(trace).sentence;

test('reached', () => {
  const trace = ask(hostWith([a, web]), 'web', 80, { probe: { outcome: 'answered', ms: 0.42 } });
  assert.deepEqual(explain(trace), {
    ...{ outcome: 'reached', cause: 'reached', grade: 'observed' },
    sentence: 'a reaches web: 172.17.0.3:80 answered after 0.4 ms.',
  });
});

test('what is known without a probe: stopped, paused, stale name', () => {
  const stopped = { ...web, rest: { state: 'exited', exitCode: 1, finishedAt: '2025-12-31T23:57:00Z' } as const };
  assert.equal(sentence(ask(hostWith([a, stopped]), 'web', 80)), 'web has ended with exit code 1 3 min ago.');
  const paused = { ...web, rest: { state: 'paused', paused: true } as const };
  assert.match(
    sentence(ask(hostWith([a, paused]), 'web', 80)),
    /^web is paused: the kernel accepts connections for it/,
  );
  const stale = ask(hostWith([a, web]), 'web', 80, {});
  stale.name = { name: 'web', addresses: ['172.17.0.9'], source: 'hosts file' };
  assert.equal(
    sentence(stale),
    'a resolves web to 172.17.0.9, but web is 172.17.0.3: the hosts file of a is out of date.',
  );
});

test('listeners: none, another port, another address, v6only', () => {
  const sentenceFor = (sockets: ListeningSocket[]): string =>
    sentence(ask(hostWith([a, { ...web, sockets }]), 'web', 80, { sightings: arrived('1001') }));
  assert.equal(sentenceFor([]), 'Reached web, but nothing listens on 80/tcp there.');
  assert.equal(
    sentenceFor([listener('0.0.0.0', 8080)]),
    'Reached web, but nothing listens on 80/tcp there (8080/tcp does).',
  );
  assert.equal(sentenceFor([listener('127.0.0.1', 80)]), 'Reached web, but nginx listens on 127.0.0.1:80 only.');
  assert.equal(
    sentenceFor([listener('::', 80, { v6only: true })]),
    'Reached web by IPv4; nginx listens on [::]:80 with v6only.',
  );
});

test('published ports: none, and on loopback only', () => {
  const topology = hostWith([a, web]);
  assert.match(
    sentence(ask(topology, '192.0.2.1', 8080, {})),
    /^Stopped at host1: nothing publishes or listens on 8080\/tcp\.$/,
  );
  const ports = [{ protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: 8080, containerPort: 80 } as const];
  const bound = hostWith([a, { ...web, rest: { ports } }]);
  assert.equal(
    sentence(ask(bound, '192.0.2.1', 8080, {})),
    'Stopped at host1: 8080/tcp of web is published on 127.0.0.1 only.',
  );
});

test('verdicts: icc, isolation, a firewall of the host', () => {
  const noIcc = hostWith([a, web]);
  for (const network of noIcc.networks) network.icc = false;
  const icc = explain(ask(noIcc, 'web', 80, { verdicts: [drop({ comment: 'icc=false' })] }));
  assert.equal(icc.sentence, 'Dropped on docker0 by netyard\'s "icc=false": a may not talk to web freely.');
  const apart = explain(ask(hostWith([a, far]), 'far', 80, { verdicts: [drop({ output: 'br-back' })] }));
  assert.equal(apart.sentence, 'Dropped at host1 between bridge and back: a and far have no common network.');
  const policy = { table: 'filter', chain: 'FORWARD', output: 'br-back' };
  const { rule: _, ...withoutRule } = drop(policy);
  const ufw = { ...drop({ table: 'filter', chain: 'ufw-before-forward' }), verdict: 'continue' } as const;
  const foreign = explain(ask(hostWith([a, far]), 'far', 80, { verdicts: [ufw, withoutRule] }));
  assert.equal(foreign.sentence, 'Dropped at host1, docker0 → br-back, by the policy of ip filter FORWARD (ufw).');
  assert.equal(foreign.fix, 'ufw route allow in on docker0 out on br-back');
});

test('routing: forwarding off, no route, reverse path filter, no neighbour', () => {
  const off = hostWith([a, far], { forwarding: { v4: false, v6: false } });
  assert.equal(sentence(ask(off, 'far', 80, {})), 'Dropped at host1: net.ipv4.ip_forward is 0.');
  assert.equal(sentence(ask(hostWith([a]), '203.0.113.7', 80, {})), 'host1 has no route to 203.0.113.7.');
  assert.equal(sentence(ask(hostWith([a]), '172.17.0.9', 80, {})), 'No host answers ARP for 172.17.0.9 on docker0.');
});

test('connection tracking that is full, and rules that nft does not show', () => {
  const full = explain(
    ask(hostWith([a, far]), 'far', 80, {
      counters: [{ namespaceId: '1', counter: 'Conntrack.drop', change: 2 }],
      conntrack: { entries: 262_144, limit: 262_144 },
    }),
  );
  assert.equal(full.sentence, 'Dropped at host1 before the rules: 262144 of 262144 connections.');
  assert.equal(full.fix, 'sysctl -w net.netfilter.nf_conntrack_max=524288');

  const host = hostWith([a, far], { legacyTables: ['filter'] });
  const entered = arrived('1').map((seen) => ({ ...seen, link: 'docker0' }));
  const legacy = explain(ask(host, 'far', 80, { sightings: entered }));
  assert.equal(legacy.sentence, 'Dropped at host1 in forward, probably by iptables-legacy, which has rules in filter.');
  assert.equal(legacy.grade, 'inferred');
});

test('a rule of iptables-legacy that dropped meanwhile is named, if it is the only one', () => {
  const host = hostWith([a, far], { legacyTables: ['filter'] });
  const sightings = arrived('1').map((seen) => ({ ...seen, link: 'docker0' }));
  const one = {
    namespaceId: '1',
    family: 4,
    table: 'filter',
    chain: 'FORWARD',
    rule: '-o docker0 -j DROP',
    packets: 2,
  } as const;
  const known = explain(ask(host, 'far', 80, { sightings, legacyDrops: [one] }));
  assert.equal(known.sentence, 'Dropped at host1 by the rule "-o docker0 -j DROP" of iptables-legacy filter FORWARD.');
  const { source, destination } = sightings.at(-1)?.packet ?? {};
  assert.equal(
    known.fix,
    `iptables-legacy -t filter -I FORWARD ${source === undefined ? '' : `-s ${source} `}-d ${destination} -p tcp --dport 80 -j ACCEPT`,
  );
  const { rule: _, ...policy } = one;
  const several = explain(ask(host, 'far', 80, { sightings, legacyDrops: [one, policy] }));
  assert.match(several.sentence, /probably by iptables-legacy/);
  const elsewhere = explain(ask(host, 'far', 80, { sightings, legacyDrops: [{ ...one, namespaceId: '99' }] }));
  assert.match(elsewhere.sentence, /probably by iptables-legacy/);
});

test('fixes quote what containers name, and refuse names that nft would take for commands', () => {
  const topology = hostWith([a, web]);
  const rename = (link: { name: string } | undefined): void => void Object.assign(link ?? {}, { name: '$(halt)' });
  const inner = topology.namespaces.find(({ name }) => name === 'web');
  rename(inner?.links.find(({ name }) => name === 'eth0'));
  for (const route of inner?.routes ?? []) if (route.link === 'eth0') route.link = '$(halt)';
  Object.assign(inner ?? {}, { path: '/run/user/1000/netns/x;halt' });
  const enter = "nsenter --net='/run/user/1000/netns/x;halt' ";
  const dropped = (rest: Partial<RuleVerdict>): string | undefined =>
    explain(ask(topology, 'web', 80, { verdicts: [drop({ table: 'own', namespaceId: inner?.id ?? '', ...rest })] }))
      .fix;
  assert.equal(dropped({}), `${enter}nft insert rule ip own to_bridge tcp dport 80 accept`);
  assert.equal(dropped({ chain: 'in; flush ruleset' }), 'change the rules there to accept tcp dport 80');
  const forwarded = dropped({ table: 'filter', chain: 'FORWARD', input: '$(halt)' });
  assert.equal(forwarded, `${enter}iptables -I FORWARD -i '$(halt)' -o docker0 -j ACCEPT`);
  const stopped = hostWith([a, { ...web, rest: { state: 'exited', name: 'web; halt' } }]);
  assert.equal(explain(ask(stopped, 'web; halt', 80)).fix, "netyard start 'web; halt'");
});

/** With a program on port 22 of the host. */
const withServer = (): HostTopology => hostWith([a, web], { sockets: [listener('0.0.0.0', 22)] });
/** The probe of `a` for the host, on the port of its bridge. */
const entersPort = arrived('1').map((seen) => ({ ...seen, link: 'veth0', otherHost: true }));

test('a bridge that took another MAC: the neighbour entry of the sender is out of date', () => {
  const toGateway = (mac: string, sightings: TraceEvidence['sightings']) => {
    const topology = withServer();
    const bridge = topology.namespaces[0]?.links.find(({ name }) => name === 'docker0');
    Object.assign(bridge ?? {}, { mac: '02:00:00:00:01:00' });
    const sender = topology.namespaces.find(({ name }) => name === 'a');
    sender?.neighbours.push({ link: 'eth0', address: '172.17.0.1', mac, state: 'stale' });
    return explain(ask(topology, 'host', 22, { sightings }));
  };
  const wrong = toGateway('02:00:00:00:09:00', entersPort);
  assert.equal(
    wrong.sentence,
    'Sent to 02:00:00:00:09:00, which docker0 of host1 does not have: the neighbour entry of a for 172.17.0.1 is out of date.',
  );
  assert.deepEqual([wrong.cause, wrong.grade], ['outdated-mac', 'inferred']);
  assert.equal(wrong.fix, 'nsenter --net=/proc/1000/ns/net ip neigh del 172.17.0.1 dev eth0');
  assert.notEqual(toGateway('02:00:00:00:01:00', entersPort).cause, 'outdated-mac');
  const taken = entersPort.map(({ otherHost: _, ...seen }) => ({ ...seen, link: 'docker0' }));
  assert.notEqual(toGateway('02:00:00:00:09:00', [...entersPort, ...taken]).cause, 'outdated-mac');
});

test('a packet that only the port of a bridge received is not said to have reached the host', () => {
  const { sentence: text, outcome } = explain(ask(withServer(), 'host', 22, { sightings: entersPort }));
  assert.doesNotMatch(text, /^Reached|received/);
  assert.equal(outcome, 'unknown');
});

test('bridges that a veth pair joins: what severs them is named with its fix, if the packet needs it', () => {
  const of = (edit: (topology: HostTopology) => void, extended: string[], to = 'web', port = 80) => {
    const topology = extend(hostWith([a, web]), ...extended);
    edit(topology);
    const { sentence: text, fix, cause } = explain(ask(topology, to, port, {}));
    return [cause, text, fix];
  };
  const down = (name: string) => (topology: HostTopology) =>
    void Object.assign(hostLink(topology, name), { up: false });
  const loose = (name: string) => (topology: HostTopology) => void delete hostLink(topology, name).masterIndex;
  for (const name of ['seg', 'trunk', 'uplink']) {
    const expected = ['link-down', `${name} is down on host1.`, `ip link set ${name} up`];
    assert.deepEqual(of(down(name), ['web']), expected);
    assert.deepEqual(of(down(name), ['a']), expected);
    if (name !== 'seg') assert.notEqual(of(down(name), ['a', 'web'])[0], 'link-down');
  }
  const outside = (link: string, bridge: string, name = link) => [
    ...['link-down', `${link} is not in ${bridge} on host1.`, `ip link set ${name} master ${bridge}`],
  ];
  assert.deepEqual(of(loose('trunk'), ['web']), outside('trunk', 'docker0'));
  assert.deepEqual(of(loose('uplink'), ['a']), outside('uplink', 'seg'));
  assert.deepEqual(of(loose('uplink'), ['a'], 'host', 9), outside('uplink', 'seg'));
  assert.notEqual(of(loose('trunk'), ['a', 'web'])[0], 'link-down');
  assert.deepEqual(of(loose('veth1'), ['web']), outside("web's veth1", 'docker0', 'veth1'));
});

test('an answer that comes by another port of joined bridges took the same way', () => {
  const topology = extend(hostWith([a, far]), 'a');
  const packet = { protocol: 'tcp', source: '172.20.0.2', destination: '172.17.0.2', destinationPort: 9 } as const;
  const seen = { namespaceId: '1', atMs: 0.1, flags: 'S' } as const;
  const conclude = (link: string) =>
    explain(
      ask(topology, 'far', 80, {
        sightings: [
          { ...seen, link, direction: 'in', isAnswer: false, packet: { ...packet, destination: '172.20.0.2' } },
          { ...seen, link: 'docker0', direction: 'out', isAnswer: true, packet, atMs: 0.3 },
        ],
      }),
    ).cause;
  for (const link of ['veth0', 'uplink', 'trunk', 'seg', 'docker0'])
    assert.notEqual(conclude(link), 'asymmetric', link);
  assert.equal(conclude('eth0'), 'asymmetric');
});

const kernelDrop = (reason: string, rest: Partial<KernelDrop> = {}): KernelDrop => ({
  ...{ namespaceId: '1001', link: 'eth0', reason, isAnswer: false, flags: 'S', atMs: 0.1 },
  packet: { protocol: 'tcp', source: '172.17.0.2', destination: '172.17.0.3', destinationPort: 80 },
  ...rest,
});

test('drops of the kernel: known reasons have a sentence, others the kernel’s words, harmless ones are no cause', () => {
  const of = (drops: KernelDrop[], rest: Partial<TraceEvidence> = {}) =>
    explain(ask(hostWith([a, web]), 'web', 80, { sightings: arrived('1001'), drops, ...rest }));
  const full = of([kernelDrop('NO_SOCKET', { isAnswer: true }), kernelDrop('SOCKET_RCVBUFF')]);
  assert.deepEqual(
    [full.cause, full.sentence],
    [
      'receive-buffer-full',
      'Dropped at web, eth0: the receive buffer of nginx in web is full, because it reads more slowly than packets arrive (SOCKET_RCVBUFF).',
    ],
  );
  const answer = of([kernelDrop('TCP_CSUM', { isAnswer: true, namespaceId: '1000' })]);
  assert.match(answer.sentence, /^The answer was dropped at a, eth0: its TCP checksum is wrong/);
  assert.match(answer.fix ?? '', /nsenter --net=\S+ ethtool -K eth0 tx off$/);
  const rule = of([kernelDrop('NETFILTER_DROP', { namespaceId: '1', link: 'va' })]);
  assert.match(rule.sentence, /: netfilter dropped it, by a rule that nft does not trace \(NETFILTER_DROP\)\.$/);
  const other = of([kernelDrop('IP_NOPROTO', { location: 'ip_local_deliver' })]);
  assert.match(other.sentence, /^Dropped at web, eth0: the kernel's reason is IP_NOPROTO in ip_local_deliver\.$/);
  assert.equal(of([kernelDrop('NOT_SPECIFIED')]).cause, 'swallowed');
  assert.equal(of([kernelDrop('TCP_OLD_DATA')]).cause, 'swallowed');
  const reached = of([kernelDrop('SOCKET_RCVBUFF')], { probe: { outcome: 'answered', ms: 1 } });
  assert.equal(reached.outcome, 'reached');
});

test('verdicts that were lost: no rule is excluded, and the target is not blamed', () => {
  const incomplete = ['some verdicts of web were not seen'];
  const of = (drops: KernelDrop[]) =>
    explain(ask(hostWith([a, web]), 'web', 80, { sightings: arrived('1001'), drops, incomplete }));
  const silent = of([]);
  assert.equal(silent.outcome, 'unknown');
  assert.equal(
    silent.sentence,
    'Reached web, and no answer was seen, but neither was all that happened there: some verdicts of web were not seen.',
  );
  const rule = of([kernelDrop('NETFILTER_DROP', { namespaceId: '1', link: 'va' })]);
  assert.match(rule.sentence, /: netfilter dropped it, by a rule whose verdict was not seen \(NETFILTER_DROP\)\.$/);
  assert.equal(rule.fix, 'nft list ruleset');
});
