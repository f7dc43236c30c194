/** Results of probes, and what is asked about a namespace: routes, counters, neighbours. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { compareCounters, hasErrno, type ProbeRequest, type ProbeResult } from '@netyard/kernel';
import { inFreshHost, sh } from '@netyard/testkit';
import { a, addNamespaces, far, macOf, observe, tracing } from './trace-host.ts';

const host = inFreshHost(import.meta.url);
before(async () => {
  if (host.skip === false) await addNamespaces();
});

test('a probe reports how it ended, and who sent the ICMP error', host, async () => {
  const send = async (request: ProbeRequest): Promise<ProbeResult> => (await observe(request)).result;
  const tcp = { ns: a, protocol: 'tcp', port: 99 } as const;
  const udp = { ns: a, protocol: 'udp', port: 99 } as const;
  const from = { source: '10.9.0.2' };
  const refused = { outcome: 'refused', errno: 'ECONNREFUSED' } as const;
  assert.deepEqual(await send({ ...tcp, destination: '10.8.0.2' }), { ...refused, ...from }, 'RST');
  const port = { ...refused, ...from, icmp: { from: '10.8.0.2', type: 3, code: 3 } };
  assert.deepEqual(await send({ ...udp, destination: '10.8.0.2' }), port);
  assert.deepEqual((await send({ ...udp, destination: 'fd08::2' })).icmp, { from: 'fd08::2', type: 1, code: 4 });
  assert.deepEqual(await send({ ...udp, port: 53, dataLength: 33, destination: '10.8.0.2' }), {
    outcome: 'answered',
    ...from,
  });
  sh('ip route add prohibit 10.77.0.0/16; ip route add blackhole 10.78.0.0/16; ip route add unreachable fd77::/16');
  for (const protocol of ['tcp', 'udp', 'icmp'] as const) {
    const result = await send({ ns: a, protocol, port: 99, destination: '10.77.0.1' });
    assert.deepEqual(
      result,
      { outcome: 'error', errno: 'EHOSTUNREACH', icmp: { from: '10.9.0.1', type: 3, code: 13 }, ...from },
      protocol,
    );
  }
  const unreachable = await send({ ...tcp, destination: 'fd77::1' });
  assert.deepEqual([unreachable.errno, unreachable.icmp?.from], ['ENETUNREACH', 'fd09::1']);
  const silent = tracing.openProbe({ ...tcp, destination: '10.78.0.1' });
  assert.deepEqual(await silent.send(100), { outcome: 'timeout', ...from });
  await assert.rejects(silent.send(1), /sent once/);
  sh('ip -n a route add unreachable 10.79.0.0/16');
  assert.deepEqual(await send({ ...tcp, destination: '10.79.0.1' }), { outcome: 'error', errno: 'EHOSTUNREACH' });
  const big = await send({ ...udp, destination: '10.8.0.2', dataLength: 2000, dontFragment: true });
  assert.deepEqual([big.outcome, big.errno], ['error', 'EMSGSIZE']);
  sh('ip link set vfar mtu 1300');
  const narrow = await send({ ...udp, destination: '10.8.0.2', dataLength: 1400, dontFragment: true });
  assert.deepEqual(narrow.icmp, { from: '10.9.0.1', type: 3, code: 4, mtu: 1300 });
  sh('ip link set vfar mtu 1500; ip -n a route flush cache');
  assert.throws(
    () => tracing.openProbe({ ...tcp, destination: '10.8.0.2', source: '10.9.0.77' }),
    (error) => hasErrno(error, 'EADDRNOTAVAIL'),
  );
  assert.throws(() => tracing.openProbe({ ...tcp, destination: '10.8.0.2', port: 0 }), /invalid port/);
  assert.throws(() => tracing.openProbe({ ...tcp, destination: '10.8.0.2', source: 'fd09::2' }), /IP versions/);
});

test('route queries report the route, or the errno that explains the drop', host, () => {
  const query = (request: object) => tracing.queryRoute({ destination: '10.8.0.2', ...request });
  const errno = (request: object): string => {
    const answer = query(request);
    return answer.found ? `found ${answer.route.to}` : answer.errno;
  };
  assert.deepEqual(query({ ns: a }), {
    found: true,
    route: {
      ...{ to: 'default', table: 254, protocol: 3, type: 'unicast' },
      ...{ via: '10.9.0.1', link: 'eth0', source: '10.9.0.2' },
    },
  });
  const local = query({ destination: '10.9.0.1' });
  assert.ok(local.found && local.route.type === 'local' && local.route.to === '10.9.0.1/32');
  const forwarded = { iif: 'br0', source: '10.9.0.2' };
  assert.equal(errno(forwarded), 'found 10.8.0.0/24');
  assert.equal(
    errno({ ...forwarded, protocol: 'tcp', sourcePort: 1, destinationPort: 80, mark: 5 }),
    'found 10.8.0.0/24',
  );
  assert.equal(errno({ destination: '192.0.2.1' }), 'ENETUNREACH');
  assert.equal(errno({ ...forwarded, destination: '192.0.2.1' }), 'ENETUNREACH');
  sh('ip route add blackhole 10.70.0.0/16; ip route add prohibit 10.71.0.0/16; ip route add unreachable 10.72.0.0/16');
  assert.equal(errno({ ...forwarded, destination: '10.70.0.1' }), 'EINVAL');
  assert.equal(errno({ ...forwarded, destination: '10.71.0.1' }), 'EACCES');
  assert.equal(errno({ ...forwarded, destination: '10.72.0.1' }), 'EHOSTUNREACH');
  sh('sysctl -qw net.ipv4.conf.br0.rp_filter=1');
  assert.equal(errno({ ...forwarded, source: '10.8.0.77' }), 'EINVAL', 'rp_filter');
  sh('sysctl -qw net.ipv4.conf.br0.rp_filter=0 net.ipv4.ip_forward=0');
  assert.equal(errno(forwarded), 'EHOSTUNREACH', 'forwarding is off');
  sh('sysctl -qw net.ipv4.ip_forward=1');
  assert.equal(errno({ iif: 'nowhere' }), 'ENODEV');
  assert.equal(errno({ destination: 'fd08::2', source: 'fd09::2', iif: 'br0' }), 'found fd08::/64');
  assert.equal(errno({ destination: '2001:db8::1' }), 'ENETUNREACH');
  assert.throws(() => query({ destination: 'web' }), /web/);
  assert.throws(
    () => query({ ns: '/run/netns/none' }),
    (error) => hasErrno(error, 'ENOENT'),
  );
});

test('counters that moved name the reason of a drop', host, async () => {
  const lost = async (destination: string, change: string, restore: string) => {
    sh(change);
    const before = tracing.readCounters();
    await observe({ ns: a, protocol: 'udp', destination, port: 53, dataLength: 1400 }, 100);
    const { protocols, links } = compareCounters(before, tracing.readCounters());
    sh(restore);
    return { names: Object.keys(protocols), protocols, links };
  };
  const noRoute = await lost('192.0.2.1', '', '');
  assert.equal(noRoute.protocols['IpExt.InNoRoutes'], 1n);
  const off = await lost('10.8.0.2', 'sysctl -qw net.ipv4.ip_forward=0', 'sysctl -qw net.ipv4.ip_forward=1');
  assert.equal(off.protocols['Ip.InAddrErrors'], 1n);
  assert.ok(!off.names.includes('IpExt.InNoRoutes'));
  const mtu = await lost('10.8.0.2', 'ip -n far link set eth0 mtu 1300', 'ip -n far link set eth0 mtu 1500');
  assert.equal(mtu.links['vfar']?.txDropped, 1n);
  const inside = tracing.readCounters(far);
  assert.ok((inside.links.get('eth0')?.rxDropped ?? 0n) >= 1n);
  assert.ok(inside.protocols.has('Ip6.InNoRoutes') && inside.protocols.has('TcpExt.ListenOverflows'));
});

test('all hosts that answer for an address are found, over ARP and NDP', host, async () => {
  const [macOfA, macOfB] = [macOf('a', 'eth0'), macOf('b', 'eth0')];
  const solicit = async (address: string) => (await tracing.solicitNeighbours({ link: 'br0', address })).sort();
  assert.deepEqual(await solicit('10.9.0.3'), [macOfB]);
  assert.deepEqual(await solicit('fd09::3'), [macOfB]);
  assert.deepEqual(await solicit('10.9.0.99'), []);
  sh('ip -n a address add 10.9.0.3/32 dev eth0; ip -n a address add fd09::3/128 dev eth0 nodad');
  const both = [macOfA, macOfB].sort();
  assert.deepEqual(await solicit('10.9.0.3'), both);
  assert.deepEqual(await solicit('fd09::3'), both);
  sh('ip -n a address del 10.9.0.3/32 dev eth0; ip -n a address del fd09::3/128 dev eth0');
  assert.deepEqual(await tracing.solicitNeighbours({ ns: a, link: 'eth0', address: '10.9.0.3' }), [macOfB]);
  await assert.rejects(tracing.solicitNeighbours({ link: 'nowhere', address: '10.9.0.3' }), (error) =>
    hasErrno(error, 'ENODEV'),
  );
});
