import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNetyardError } from '@netyard/core';
import { errnoOf, kernelError } from '@netyard/kernel';
import { FakeKernel } from '@netyard/testkit';
import { allocationOrder, checkPortRequest, parsePortRange, resolvePortRequests } from './choose.ts';
import { PortTable } from './table.ts';

const range = { first: 32768, last: 32770 };
const tcp = (hostPort: number, hostAddress = '0.0.0.0', hostPortEnd = hostPort) => ({
  protocol: 'tcp' as const,
  containerPort: 80,
  hostAddress,
  hostPort,
  hostPortEnd,
});

function makeTable(): { kernel: FakeKernel; table: PortTable } {
  const kernel = new FakeKernel();
  return { kernel, table: new PortTable((protocol, address, port) => kernel.reservePort(protocol, address, port)) };
}

test('a port held by a container is reported with the address that holds it', () => {
  const { table } = makeTable();
  table.publish(tcp(8801), 'a', range);
  const taken = { message: 'Bind for 0.0.0.0:8801 failed: port is already allocated', code: 'failed' };
  assert.throws(() => table.publish(tcp(8801), 'b', range), taken);
  assert.throws(() => table.publish(tcp(8801, '127.0.0.1'), 'b', range), taken);
  table.publish({ ...tcp(8801), protocol: 'udp' }, 'b', range);
  table.publish(tcp(8802, '127.0.0.1'), 'b', range);
  table.publish(tcp(8802, '192.0.2.1'), 'b', range);
  assert.throws(() => table.publish(tcp(8802), 'c', range), /Bind for 127\.0\.0\.1:8802 failed/);
});

test('a port held by another process is reported with the error of bind', () => {
  const { kernel, table } = makeTable();
  kernel.occupyPort('tcp', '0.0.0.0', 8801);
  assert.throws(() => table.publish(tcp(8801), 'a', range), {
    message: 'failed to bind host port 0.0.0.0:8801/tcp: address already in use',
  });
});

test('EMFILE fails at once with a hint about the limit of open files', () => {
  let attempts = 0;
  const table = new PortTable(() => {
    attempts += 1;
    throw kernelError(errnoOf('EMFILE'), 'open', 'socket');
  });
  const isReported = (error: unknown): boolean => isNetyardError(error) && error.hint?.includes('ulimit -n') === true;
  assert.throws(() => table.publish(tcp(8801), 'a', range), /0\.0\.0\.0:8801\/tcp: too many open files/);
  assert.throws(() => table.publish(tcp(8801), 'a', range), isReported);
  attempts = 0;
  assert.throws(() => table.publish({ ...tcp(0), hostPort: 0 }, 'a', range), /too many open files/);
  assert.equal(attempts, 1, 'no other port is tried');
});

test('any port comes from the range, in order, skips held ones, and reuses a released one last', () => {
  const { kernel, table } = makeTable();
  kernel.occupyPort('tcp', '0.0.0.0', 32769);
  const any = { ...tcp(0), hostPort: 0 };
  const first = table.publish(any, 'a', range);
  assert.equal(first.hostPort, 32768);
  table.release(first, 'a');
  assert.equal(table.publish(any, 'b', range).hostPort, 32770);
  assert.equal(table.publish(any, 'c', range).hostPort, 32768);
  assert.throws(() => table.publish(any, 'd', range), /address already in use|all ports are allocated/);
});

test('a range of host ports gives one port each', () => {
  const { table } = makeTable();
  assert.equal(table.publish(tcp(8000, '0.0.0.0', 8001), 'a', range).hostPort, 8000);
  assert.equal(table.publish(tcp(8000, '0.0.0.0', 8001), 'b', range).hostPort, 8001);
  assert.throws(() => table.publish(tcp(8000, '0.0.0.0', 8001), 'c', range), { message: 'all ports are allocated' });
});

test('fixed ports are chosen first, then ranges by their ends, then any', () => {
  const any = { ...tcp(0), hostPort: 0 };
  const order = (...requests: Parameters<typeof allocationOrder>[0]): number[] => allocationOrder(requests);
  assert.deepEqual(order(any, tcp(80), tcp(8000, '', 8009), any, tcp(8000, '', 8001), tcp(81)), [1, 5, 4, 2, 0, 3]);
  assert.deepEqual(order(tcp(8001, '', 8003), tcp(8002, '', 8002), tcp(8001, '', 8002)), [1, 2, 0]);
  assert.deepEqual(order(), []);
});

test('a released port is free for any container; only its holder releases it', () => {
  const { kernel, table } = makeTable();
  const port = table.publish(tcp(8801), 'a', range);
  table.release(port, 'b');
  assert.equal(kernel.reservedPorts().length, 1);
  table.release(port, 'a');
  assert.deepEqual(kernel.reservedPorts(), []);
});

test('a port held by another process is adopted without a reservation, and the error is returned', () => {
  const { kernel, table } = makeTable();
  kernel.occupyPort('tcp', '0.0.0.0', 8801);
  const port = { protocol: 'tcp' as const, containerPort: 80, hostAddress: '0.0.0.0', hostPort: 8801 };
  assert.match(table.adopt(port, 'a')?.message ?? '', /address already in use/);
  assert.throws(() => table.publish(tcp(8801), 'b', range), /port is already allocated/);
});

test('-P adds the exposed ports that are not published', () => {
  const exposed = [
    { protocol: 'tcp' as const, port: 80 },
    { protocol: 'udp' as const, port: 80 },
  ];
  const published = [{ protocol: 'tcp' as const, containerPort: 80, hostPort: 1 }];
  assert.deepEqual(resolvePortRequests(published, exposed, true, '0.0.0.0'), [
    { protocol: 'tcp', containerPort: 80, hostPort: 1, hostAddress: '0.0.0.0' },
    { protocol: 'udp', containerPort: 80, hostAddress: '0.0.0.0' },
  ]);
  assert.equal(resolvePortRequests(published, exposed, false, '127.0.0.1').length, 1);
});

test('invalid ports and host addresses are rejected', () => {
  for (const request of [tcp(-1), tcp(65536), tcp(20, '', 10), { ...tcp(1), containerPort: 0 }])
    assert.throws(() => checkPortRequest(request), /invalid port specification/);
  assert.throws(() => checkPortRequest(tcp(80, '::1')), /the network has no IPv6/);
  assert.throws(() => checkPortRequest(tcp(80, '1.2.3')), /invalid IP address/);
  assert.deepEqual(parsePortRange('40000\t40010\n'), { first: 40000, last: 40010 });
  assert.deepEqual(parsePortRange('0'), { first: 32768, last: 60999 });
});

test('a copy for a dry run reserves nothing, and finds what containers and other processes hold', () => {
  const { kernel, table } = makeTable();
  table.publish(tcp(8801), 'a', range);
  kernel.occupyPort('tcp', '0.0.0.0', 8802);
  const copy = table.copy();
  assert.throws(() => copy.publish(tcp(8801), 'b', range), /already allocated/);
  assert.throws(() => copy.publish(tcp(8802), 'b', range), /address already in use/);
  copy.publish(tcp(8803), 'b', range);
  table.publish(tcp(8803), 'c', range); // not taken by the dry run
  const held = { protocol: 'tcp' as const, containerPort: 80, hostAddress: '0.0.0.0', hostPort: 8801 };
  copy.release(held, 'a');
  copy.claim(held, 'a'); // an operation may publish its own port again
});
