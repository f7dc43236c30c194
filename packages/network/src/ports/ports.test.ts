import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNetyardError } from '@netyard/core';
import { errnoOf, kernelError } from '@netyard/kernel';
import { FakeKernel } from '@netyard/testkit';
import type { PortRequest, PublishedPort } from '../contract.ts';
import type { BridgeSettings } from '../model.ts';
import { anyAddress, type Binding, groupBindings, type PublishWay, publishWays } from './bindings.ts';
import { allocationOrder, checkPortRequest, parsePortRange, resolvePortRequests } from './choose.ts';
import { PortTable } from './table.ts';

const range = { first: 32768, last: 32770 };
const tcp = (hostPort: number, hostAddress = '0.0.0.0', hostPortEnd = hostPort): Binding => ({
  ...{ protocol: 'tcp', kind: 'nat' },
  containerPort: 80,
  hostAddress,
  hostPort,
  hostPortEnd,
});

function makeTable(): { kernel: FakeKernel; table: PortTable } {
  const kernel = new FakeKernel();
  return { kernel, table: new PortTable((protocol, address, port) => kernel.reservePort(protocol, address, port)) };
}

/** Publishes a port at one address. */
function publish(table: PortTable, binding: Binding, containerId: string): PublishedPort {
  const [port] = table.publish([binding], containerId, range);
  assert.ok(port);
  return port;
}

test('a port held by a container is reported with the address that holds it', () => {
  const { table } = makeTable();
  publish(table, tcp(8801), 'a');
  const taken = { message: 'Bind for 0.0.0.0:8801 failed: port is already allocated', code: 'failed' };
  assert.throws(() => publish(table, tcp(8801), 'b'), taken);
  assert.throws(() => publish(table, tcp(8801, '127.0.0.1'), 'b'), taken);
  publish(table, { ...tcp(8801), protocol: 'udp' }, 'b');
  publish(table, tcp(8802, '127.0.0.1'), 'b');
  publish(table, tcp(8802, '192.0.2.1'), 'b');
  assert.throws(() => publish(table, tcp(8802), 'c'), /Bind for 127\.0\.0\.1:8802 failed/);
});

test('a port held by another process is reported with the error of bind', () => {
  const { kernel, table } = makeTable();
  kernel.occupyPort('tcp', '0.0.0.0', 8801);
  assert.throws(() => publish(table, tcp(8801), 'a'), {
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
  assert.throws(() => publish(table, tcp(8801), 'a'), /0\.0\.0\.0:8801\/tcp: too many open files/);
  assert.throws(() => publish(table, tcp(8801), 'a'), isReported);
  attempts = 0;
  assert.throws(() => publish(table, { ...tcp(0), hostPort: 0 }, 'a'), /too many open files/);
  assert.equal(attempts, 1, 'no other port is tried');
});

test('any port comes from the range, in order, skips held ones, and reuses a released one last', () => {
  const { kernel, table } = makeTable();
  kernel.occupyPort('tcp', '0.0.0.0', 32769);
  const any = { ...tcp(0), hostPort: 0 };
  const first = publish(table, any, 'a');
  assert.equal(first.hostPort, 32768);
  table.release(first, 'a');
  assert.equal(publish(table, any, 'b').hostPort, 32770);
  assert.equal(publish(table, any, 'c').hostPort, 32768);
  assert.throws(() => publish(table, any, 'd'), /address already in use|all ports are allocated/);
});

test('a range of host ports gives one port each', () => {
  const { table } = makeTable();
  assert.equal(publish(table, tcp(8000, '0.0.0.0', 8001), 'a').hostPort, 8000);
  assert.equal(publish(table, tcp(8000, '0.0.0.0', 8001), 'b').hostPort, 8001);
  assert.throws(() => publish(table, tcp(8000, '0.0.0.0', 8001), 'c'), { message: 'all ports are allocated' });
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
  const port = publish(table, tcp(8801), 'a');
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
  assert.throws(() => publish(table, tcp(8801), 'b'), /port is already allocated/);
});

test('-P adds the exposed ports that are not published', () => {
  const exposed = [
    { protocol: 'tcp' as const, port: 80 },
    { protocol: 'udp' as const, port: 80 },
  ];
  const published = [{ protocol: 'tcp' as const, containerPort: 80, hostPort: 1 }];
  assert.deepEqual(resolvePortRequests(published, exposed, true), [
    { protocol: 'tcp', containerPort: 80, hostPort: 1 },
    { protocol: 'udp', containerPort: 80 },
  ]);
  assert.equal(resolvePortRequests(published, exposed, false).length, 1);
});

test('invalid ports and host addresses are rejected', () => {
  for (const request of [tcp(-1), tcp(65536), tcp(20, '', 10), { ...tcp(1), containerPort: 0 }])
    assert.throws(() => checkPortRequest(request), /invalid port specification/);
  assert.throws(() => checkPortRequest(tcp(80, '1.2.3')), /invalid IP address/);
  assert.deepEqual(parsePortRange('40000\t40010\n'), { first: 40000, last: 40010 });
  assert.deepEqual(parsePortRange('0'), { first: 32768, last: 60999 });
});

test('a copy for a dry run reserves nothing, and finds what containers and other processes hold', () => {
  const { kernel, table } = makeTable();
  publish(table, tcp(8801), 'a');
  kernel.occupyPort('tcp', '0.0.0.0', 8802);
  const copy = table.copy();
  assert.throws(() => publish(copy, tcp(8801), 'b'), /already allocated/);
  assert.throws(() => publish(copy, tcp(8802), 'b'), /address already in use/);
  publish(copy, tcp(8803), 'b');
  publish(table, tcp(8803), 'c'); // not taken by the dry run
  const held = { protocol: 'tcp' as const, containerPort: 80, hostAddress: '0.0.0.0', hostPort: 8801 };
  copy.release(held, 'a');
  copy.claim(held, 'a'); // an operation may publish its own port again
});

const bridge = (traits: object = {}): BridgeSettings => ({ hostBinding: '0.0.0.0', ...traits }) as BridgeSettings;
const nat = { gatewayMode: 'nat' };
/** `ADDRESS:PORT KIND` of each group. */
const show = (...args: Parameters<typeof groupBindings>): string[][] =>
  groupBindings(...args).map((group) =>
    group.map(({ hostAddress, hostPort = 0, kind }) => `${hostAddress} ${hostPort} ${kind}`),
  );
const request = (hostPort: number, hostAddress?: string): PortRequest => ({
  ...{ protocol: 'tcp', containerPort: 80, hostPort },
  ...(hostAddress === undefined ? {} : { hostAddress }),
});

test('a port without an address is published on 0.0.0.0 and [::], one with an address on that alone', () => {
  const dual = publishWays({ v4: bridge({ v4: nat, v6: nat }), v6: bridge({ v4: nat, v6: nat }) });
  const requests = [request(80), request(81, '0.0.0.0'), request(82, '::'), request(83, '2001:DB8:0::1')];
  assert.deepEqual(show(requests, dual, true), [
    ['0.0.0.0 80 nat', ':: 80 nat'],
    ['0.0.0.0 81 nat'],
    [':: 82 nat'],
    ['2001:db8::1 83 nat'],
  ]);
  assert.deepEqual(show([request(80), request(82, '::')], dual, false), [['0.0.0.0 80 nat'], [':: 82 nat']]);
});

test('ports on IPv6 addresses are relayed to a container without IPv6, except those of sctp', () => {
  const ways = publishWays({ v4: bridge({ v4: nat }) });
  assert.deepEqual(show([request(80)], ways, true), [['0.0.0.0 80 nat', ':: 80 relay']]);
  assert.deepEqual(show([{ ...request(80), protocol: 'sctp' }], ways, true), [['0.0.0.0 80 nat']]);
  assert.deepEqual(show([request(80)], publishWays({ v6: bridge({ v6: nat }) }), true), [[':: 80 nat']]);
  assert.deepEqual(show([request(80)], publishWays({}), true), []);
});

test('the default address of a network applies to its family', () => {
  const ways = (hostBinding: string) => publishWays({ v4: bridge({ v4: nat, hostBinding }) });
  assert.deepEqual(show([request(80)], ways('192.0.2.1'), true), [['192.0.2.1 80 nat']]);
  assert.deepEqual(show([request(80)], ways('::1'), true), [['::1 80 relay']]);
  assert.deepEqual(show([request(80)], publishWays({ v4: bridge({ v4: { gatewayMode: 'routed' } }) }), true), [
    ['0.0.0.0 80 routed'],
  ]);
  const routed = bridge({ v4: { gatewayMode: 'routed' }, v6: nat, hostBinding: '127.0.0.1' });
  assert.deepEqual(show([request(80, '192.0.2.1')], publishWays({ v4: routed, v6: routed }), true), [
    ['0.0.0.0 80 routed'],
  ]);
});

test('requests that differ in their addresses only get one port', () => {
  const ways = publishWays({ v4: bridge({ v4: nat }) });
  assert.deepEqual(
    show([request(0, '127.0.0.1'), request(0, '::1'), request(0), request(0, '192.0.2.1')], ways, true),
    [
      ['127.0.0.1 0 nat', '::1 0 relay', '192.0.2.1 0 nat'],
      ['0.0.0.0 0 nat', ':: 0 relay'],
    ],
  );
});

test('each request joins the first group that it fits; a client may send many', () => {
  const way: PublishWay = { kind: 'nat', defaultHostAddress: '0.0.0.0' };
  const at = (hostAddress: string): PortRequest => ({ containerPort: 80, protocol: 'tcp', hostAddress });
  const requests = ['127.0.0.1', '0.0.0.0', '127.0.0.1', '::1', '::', '127.0.0.2', '0.0.0.0', '127.0.0.2'].map(at);
  assert.deepEqual(
    groupBindings(requests, { v4: way, v6: way }, true).map((group) => group.map(({ hostAddress }) => hostAddress)),
    [['127.0.0.1', '::1', '127.0.0.2'], ['0.0.0.0', '::'], ['127.0.0.1', '127.0.0.2'], ['0.0.0.0']],
  );
  const many = Array.from({ length: 30_000 }, () => at('0.0.0.0'));
  assert.equal(groupBindings(many, { v4: way }, false).length, many.length);
});

test('a port is chosen that is free at all addresses of a group; none is held after a failure', () => {
  const { kernel, table } = makeTable();
  const both = (hostPort: number): Binding[] => [
    { ...tcp(hostPort), hostPort, hostPortEnd: hostPort },
    { ...tcp(hostPort, anyAddress.v6), kind: 'relay' },
  ];
  kernel.occupyPort('tcp', '::', 32768);
  const chosen = table.publish(both(0), 'a', range);
  assert.deepEqual(
    chosen.map(({ hostAddress, hostPort }) => [hostAddress, hostPort]),
    [
      ['0.0.0.0', 32769],
      ['::', 32769],
    ],
  );
  assert.throws(() => table.publish(both(32768), 'b', range), {
    message: 'failed to bind host port [::]:32768/tcp: address already in use',
  });
  assert.equal(kernel.reservedPorts().filter(({ port }) => port === 32768).length, 1, 'that of the other process');
  assert.throws(() => publish(table, tcp(32769, '::1'), 'b'), /Bind for :::32769 failed: port is already allocated/);
  publish(table, tcp(32770, '::1'), 'b');
  assert.throws(() => publish(table, tcp(32770, '::'), 'c'), /Bind for ::1:32770 failed/);
  publish(table, tcp(32770, '0.0.0.0'), 'c');
});

test('only the holder of a port relays it', () => {
  const { kernel, table } = makeTable();
  const port = publish(table, tcp(8801, '::'), 'a');
  table.relay(port, 'b', { address: '172.17.0.3', port: 80 });
  assert.deepEqual(
    kernel.reservedPorts().map(({ relayedTo }) => relayedTo),
    [undefined],
  );
  table.relay(port, 'a', { address: '172.17.0.2', port: 80 });
  assert.deepEqual(kernel.reservedPorts()[0]?.relayedTo, { address: '172.17.0.2', port: 80 });
});
