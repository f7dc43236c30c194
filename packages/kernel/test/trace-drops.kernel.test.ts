/** Why the kernel drops packets of a probe, by its tracepoints. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, test } from 'node:test';
import { isNetyardError } from '@netyard/core';
import { type DroppedPacket, matchDrops } from '@netyard/kernel';
import { eventually, inFreshHost, sh } from '@netyard/testkit';
import { a, addNamespaces, table, tracing } from './trace-host.ts';

const host = inFreshHost(import.meta.url);
const options = host.skip === false ? { skip: missingTracepoints() } : host;
before(async () => {
  if (options.skip === false) await addNamespaces();
});

function missingTracepoints(): string | false {
  try {
    tracing.openDropTrace({ lengths: [61] }).close();
    return false;
  } catch (error) {
    if (isNetyardError(error, 'unavailable')) return error.message;
    throw error;
  }
}

/** Drops of a UDP datagram with an IP length of 28 bytes more. */
async function dropsOf(destination: string, dataLength: number, follow = dataLength + 28): Promise<DroppedPacket[]> {
  const probe = tracing.openProbe({ ns: a, protocol: 'udp', destination, port: 99, dataLength });
  const taps = [tracing.openTap(probe), tracing.openTap({ ns: a, match: probe.match })];
  const trace = tracing.openDropTrace({ lengths: [follow] });
  try {
    await probe.send(200);
    const drops = await trace.read();
    assert.equal(trace.incomplete, false);
    return matchDrops(
      drops,
      taps.flatMap((tap) => tap.read()),
    );
  } finally {
    for (const handle of [trace, probe, ...taps]) handle.close();
  }
}

const reasons = (drops: DroppedPacket[]): [string, string | undefined][] =>
  drops.map(({ reason, location }) => [reason, location]);

test('drops are reported with the kernel’s reason, function and the links before', options, async () => {
  sh('ip route add blackhole 10.78.0.0/16');
  const [blackhole, ...more] = await dropsOf('10.78.0.1', 33);
  assert.deepEqual([blackhole?.reason, blackhole?.location, more.length], ['NOT_SPECIFIED', 'ip_error', 0]);
  const places = blackhole?.seen.map(({ link, direction }) => `${link} ${direction}`);
  assert.deepEqual(places, ['eth0 out', 'va in', 'br0 in']);
  assert.deepEqual(await dropsOf('10.78.0.1', 33, 62), [], 'of another length');
  sh('sysctl -qw net.ipv4.ip_forward=0');
  assert.deepEqual(reasons(await dropsOf('10.8.0.2', 35)), [['IP_INADDRERRORS', 'ip_error']]);
  sh('sysctl -qw net.ipv4.ip_forward=1');
  const [unused] = await dropsOf('10.8.0.2', 37);
  assert.deepEqual([unused?.reason, unused?.seen.at(-1)?.link], ['NO_SOCKET', 'eth0']);
  table('table ip fw {\n chain forw {\n type filter hook forward priority 0; policy drop;\n }\n}');
  assert.deepEqual(
    (await dropsOf('10.8.0.2', 39)).map(({ reason }) => reason),
    ['NETFILTER_DROP'],
  );
  sh('nft delete table ip fw; ip -n far link set eth0 mtu 1300');
  const [narrow] = await dropsOf('10.8.0.2', 1401);
  assert.deepEqual([narrow?.seen.at(-1)?.link, narrow?.seen.at(-1)?.direction], ['vfar', 'out']);
  assert.match(narrow?.location ?? '', /forward_skb/);
});

/** This process's descriptors of perf events. */
const perfEvents = (): number => Number(sh(`ls -l /proc/${process.pid}/fd | grep -c perf_event || true`));

test('a drop trace mounts nothing, and closes all that it opened', options, async () => {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
  const trace = tracing.openDropTrace({ lengths: [84] });
  assert.notEqual(perfEvents(), 0);
  assert.equal(readFileSync('/proc/self/mountinfo', 'utf8'), mounts);
  trace.close();
  trace.close();
  await eventually('all events are closed', () => perfEvents() === 0);
  assert.ok(!readFileSync('/proc/self/maps', 'utf8').includes('perf_event'));
  for (const lengths of [[], [0], [1.5], new Array<number>(17).fill(9)])
    assert.throws(() => tracing.openDropTrace({ lengths }), /invalid lengths/);
});
