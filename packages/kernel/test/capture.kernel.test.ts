/** Captures real packets in a namespace. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { readdirSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { isNetyardError } from '@netyard/core';
import { type CapturedPacket, hasErrno, openKernel, type PacketCapture } from '@netyard/kernel';
import { inFreshHost, sh } from '@netyard/testkit';

const host = inFreshHost(import.meta.url);
const ns = '/run/netns/r1';
const ping = (count = 1): string => sh(`ping -n -c ${count} -i 0.05 -W 60 10.9.0.2`);
const kernel = openKernel();

before(() => {
  if (host.skip !== false) return;
  sh(`ip netns add r1; ip link add h1 type veth peer name eth0 netns r1; ip address add 10.9.0.1/24 dev h1
    ip link set h1 up; ip -n r1 address add 10.9.0.2/24 dev eth0; ip -n r1 link set eth0 up; ip -n r1 link set lo up`);
});
after(() => kernel.close());

async function gather(capture: PacketCapture): Promise<CapturedPacket[]> {
  const packets: CapturedPacket[] = [];
  for await (const some of capture.packets()) packets.push(...some);
  return packets;
}

const sockets = (): number => readdirSync('/proc/self/fd').length;
/** Describes an Ethernet frame with IPv4: `10.9.0.1 > 10.9.0.2 icmp 8`. */
const describeFrame = ({ data }: CapturedPacket): string =>
  `${data.slice(26, 30).join('.')} > ${data.slice(30, 34).join('.')} protocol ${data[23]} type ${data[34]}`;

test('captures the requested number of pings in a namespace, with timestamps in nanoseconds', host, async () => {
  ping();
  const open = sockets();
  const before = Date.now() / 1000;
  const capture = await kernel.capture({ ns, link: 'eth0', filter: 'icmp', count: 4 });
  assert.deepEqual([capture.linkType, capture.snapLength], [1, 262144]);
  const gathered = gather(capture);
  ping(3);
  const packets = await gathered;
  assert.deepEqual(packets.map(describeFrame), [
    '10.9.0.1 > 10.9.0.2 protocol 1 type 8',
    '10.9.0.2 > 10.9.0.1 protocol 1 type 0',
    '10.9.0.1 > 10.9.0.2 protocol 1 type 8',
    '10.9.0.2 > 10.9.0.1 protocol 1 type 0',
  ]);
  for (const { seconds, nanoseconds, originalLength, data } of packets) {
    assert.ok(seconds + nanoseconds / 1e9 > before - 1 && seconds <= Date.now() / 1000);
    assert.deepEqual([originalLength, data.length], [98, 98]);
  }
  assert.ok(packets.some(({ nanoseconds }) => nanoseconds % 1000 !== 0));
  assert.equal(capture.statistics().captured, 4);
  assert.equal(capture.statistics().dropped, 0);
  assert.equal(sockets(), open, 'no socket stays open');
});

test('stop returns the packets captured so far', host, async () => {
  const capture = await kernel.capture({ ns, link: 'eth0', filter: 'icmp[icmptype] == icmp-echo' });
  ping(5);
  capture.stop();
  assert.equal((await gather(capture)).length, 5);
  assert.deepEqual(capture.statistics(), { captured: 5, received: 5, dropped: 0 });
});

test('the snapshot length truncates packets; their original length is reported', host, async () => {
  const capture = await kernel.capture({ ns, link: 'eth0', filter: 'icmp', snapLength: 60, count: 1 });
  ping();
  const [packet] = await gather(capture);
  assert.deepEqual([packet?.data.length, packet?.originalLength, capture.snapLength], [60, 98, 60]);
});

test('an invalid filter is rejected with the compiler’s message, and no socket stays open', host, async () => {
  const open = sockets();
  const messages = { 'icmp and and': /syntax error$/, 'port 99999': /99999/ };
  for (const [filter, message] of Object.entries(messages)) {
    const compiler = sh(`tcpdump -d -y EN10MB '${filter}' 2>&1 || true`);
    await assert.rejects(kernel.capture({ ns, link: 'eth0', filter }), (error: Error) => {
      assert.ok(isNetyardError(error, 'invalid'));
      assert.match(error.message, message);
      assert.ok(compiler.includes(error.message), `${error.message} in ${compiler}`);
      return true;
    });
  }
  await assert.rejects(kernel.capture({ ns, link: 'eth0', filter: 'ip\0' }), /NUL/);
  await assert.rejects(kernel.capture({ ns, link: 'eth0', count: 0 }), /invalid packet count 0/);
  await assert.rejects(kernel.capture({ ns, link: 'eth0', snapLength: 1.5 }), /invalid snapshot length/);
  assert.equal(sockets(), open);
});

test('a missing link is rejected, and a deleted one ends the capture with an error', host, async () => {
  await assert.rejects(kernel.capture({ ns, link: 'nowhere' }), (error) => hasErrno(error, 'ENODEV'));
  sh('ip link add g1 type veth peer name g2; ip link set g1 up; ip link set g2 up');
  const capture = await kernel.capture({ link: 'g1' });
  const gathered = gather(capture);
  await pause(50);
  sh('ip link set g1 down; ip link set g1 up');
  await pause(50);
  sh('ip link del g1');
  await assert.rejects(gathered, (error: Error) => {
    assert.match(error.message, /interface disappeared/);
    return isNetyardError(error, 'unavailable');
  });
});

test('the kernel drops and counts packets that are not read; this process does not grow', host, async () => {
  const capture = await kernel.capture({ ns, link: 'eth0', filter: 'udp port 9' });
  const socket = createSocket('udp4');
  const packet = Buffer.alloc(1400);
  const sent = 12_000; // some 17 MB, twice the ring
  for (let index = 0; index < sent; index += 1)
    await new Promise((resolve) => socket.send(packet, 9, '10.9.0.2', resolve));
  socket.close();
  const { received, dropped } = capture.statistics();
  assert.ok(dropped > 0, `${received} received, ${dropped} dropped`);
  capture.stop();
  const packets = await gather(capture);
  assert.ok(
    packets.length > 1000 && packets.length <= received - dropped,
    `${packets.length} of ${received - dropped}`,
  );
});

test('closing a capture ends its iteration and releases the last reference to a namespace', host, async () => {
  sh('ip netns add r2; ip -n r2 link set lo up; ip link add k1 type veth peer name eth0 netns r2');
  const capture = await kernel.capture({ ns: '/run/netns/r2', link: 'lo' });
  const gathered = gather(capture);
  await pause(20);
  sh('ip netns del r2');
  capture.close();
  capture.close();
  assert.deepEqual(await gathered, []);
  // When the namespace ends, the kernel deletes its veth and thereby the other end here.
  while (sh('ip -o link').includes(' k1@')) await pause(20);
});

test('closing the kernel closes its captures', host, async () => {
  const own = openKernel();
  const capture = await own.capture({ link: 'lo' });
  const gathered = gather(capture);
  await pause(20);
  own.close();
  assert.deepEqual(await gathered, []);
});
