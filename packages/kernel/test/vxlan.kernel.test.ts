/**
 * VXLAN tunnels created by a plan: packets in both directions, changes, rollback, and what the kernel deletes with the
 * link.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { isNetyardError } from '@netyard/core';
import { type KernelObject, openKernel, type VxlanObject } from '@netyard/kernel';
import { inFreshHost, sh } from '@netyard/testkit';

const host = inFreshHost(import.meta.url);
const kernel = openKernel();

const mac = (number: number): string => `02:6e:c0:00:02:0${number}`;
const tunnel = (ns: string | undefined, number: number): VxlanObject => ({
  kind: 'vxlan',
  ...(ns === undefined ? {} : { ns }),
  ...{ name: 'ny-vxlan', id: 28281, port: 4789, local: `192.0.2.${number}`, mac: mac(number), mtu: 1450 },
  ...{ owner: 'a tunnel', up: true },
});
/**
 * Three objects for the other side: the forwarding entry of its MAC, the neighbour entry of its address, the route to
 * its subnet.
 */
function towards(ns: string | undefined, number: number): KernelObject[] {
  const where = ns === undefined ? {} : { ns };
  const remote = `192.0.2.${number}`;
  return [
    { kind: 'fdb', ...where, link: 'ny-vxlan', mac: mac(number), remote },
    { kind: 'neighbour', ...where, link: 'ny-vxlan', address: remote, mac: mac(number) },
    { kind: 'route', ...where, to: `10.0.${number}.0/24`, via: remote, link: 'ny-vxlan', onlink: true, protocol: 78 },
  ];
}
const there = '/run/netns/there';
const here = [tunnel(undefined, 1), ...towards(undefined, 2)];
const plan = { owner: 'tunnel', objects: [...here, tunnel(there, 2), ...towards(there, 1)] };
const pings = (options = '-w 60'): boolean =>
  sh(`ping -c 1 ${options} -I 10.0.1.1 10.0.2.1 >/dev/null 2>&1 && echo yes || echo no`) === 'yes\n';

before(() => {
  if (host.skip) return;
  sh(`ip netns add there; ip link add up0 type veth peer name up0 netns there; ip link set up0 up
    ip address add 192.0.2.1/24 dev up0; ip -n there address add 192.0.2.2/24 dev up0; ip -n there link set up0 up
    ip -n there link set lo up; ip address add 10.0.1.1/32 dev lo; ip -n there address add 10.0.2.1/32 dev lo`);
});
after(() => kernel.close());

test('two hosts exchange packets up to the tunnel’s MTU, and reapplying changes nothing', host, async () => {
  assert.equal((await kernel.apply(plan)).operations.length, plan.objects.length);
  assert.ok(pings());
  assert.ok(pings('-w 60 -M do -s 1422'));
  assert.ok(!pings('-W 1 -M do -s 1423'));
  assert.deepEqual((await kernel.apply(plan)).operations, []);
  assert.match(
    sh('ip -d link show ny-vxlan'),
    /alias a tunnel|vxlan id 28281 local 192\.0\.2\.1 .*dstport 4789 nolearning/,
  );
});

test('each change or removal by another program is detected and repaired', host, async () => {
  const breakages: [string, string][] = [
    ['ip neighbour delete 192.0.2.2 dev ny-vxlan', 'create neighbour'],
    ['ip neighbour replace 192.0.2.2 lladdr 02:00:00:00:00:99 dev ny-vxlan nud permanent', 'change neighbour'],
    [`bridge fdb delete ${mac(2)} dev ny-vxlan`, 'create fdb'],
    [`bridge fdb replace ${mac(2)} dev ny-vxlan dst 192.0.2.9`, 'change fdb'],
    ['ip route delete 10.0.2.0/24', 'create route'],
    ['ip link set ny-vxlan mtu 1300', 'change vxlan'],
    ['ip link set ny-vxlan type vxlan local 192.0.2.7', 'change vxlan'],
  ];
  for (const [command, expected] of breakages) {
    sh(command);
    const { operations } = await kernel.apply(plan);
    assert.deepEqual(
      operations.map(({ action, object }) => `${action} ${object.kind}`),
      [expected],
      command,
    );
    assert.ok(pings(), command);
  }
  sh('ip link delete ny-vxlan');
  assert.equal((await kernel.apply(plan)).operations.length, 4);
  assert.ok(pings());
});

test('a change of a fixed attribute recreates the link', host, async () => {
  sh('ip link delete ny-vxlan; ip link add ny-vxlan type vxlan id 7 dstport 4789');
  await kernel.apply(plan);
  await kernel.apply(plan);
  assert.ok(pings());
  const other = { ...tunnel(undefined, 1), local: '192.0.2.8', mac: mac(8) };
  await kernel.apply({ owner: 'tunnel', objects: [other] });
  assert.match(sh('ip -d link show ny-vxlan'), /02:6e:c0:00:02:08[\s\S]* local 192\.0\.2\.8 /);
  await kernel.apply(plan);
  await kernel.apply(plan);
  assert.ok(pings());
});

test('a failing step rolls the tunnel back, and remove leaves nothing behind', host, async () => {
  const bare = sh('ip route; bridge fdb');
  await kernel.remove(plan);
  const clean = sh(
    'ip -o link | cut -d: -f2; ip route; ip neighbour show nud permanent; bridge fdb | grep dst || true',
  );
  assert.doesNotMatch(clean, /vxlan|10\.0\.2|192\.0\.2\.2 dev ny/);
  assert.notEqual(sh('ip route; bridge fdb'), bare);
  const bad: KernelObject = { kind: 'route', to: '10.0.3.0/24', via: '192.0.2.9', link: 'gone' };
  await assert.rejects(kernel.apply({ owner: 'tunnel', objects: [...here, bad] }), /ENODEV/);
  assert.equal(
    sh('ip -o link | cut -d: -f2; ip route; ip neighbour show nud permanent; bridge fdb | grep dst || true'),
    clean,
  );
  await assert.rejects(kernel.apply({ owner: 'x', objects: [{ ...tunnel(undefined, 1), id: 1 << 24 }] }), (error) =>
    isNetyardError(error, 'invalid'),
  );
});

/** As `tunnel`, between IPv6 addresses. Routes of both families have a link-local gateway, which no packet contains. */
function tunnel6(ns: string | undefined, number: number): KernelObject[] {
  const where = ns === undefined ? {} : { ns };
  return [
    {
      kind: 'vxlan',
      ...where,
      ...{
        name: 'ny-vxlan6',
        id: 28281,
        port: 4789,
        local: `2001:db8::${number}`,
        mac: mac(number),
        mtu: 1430,
        up: true,
      },
    },
    { kind: 'sysctl', ...where, key: 'net.ipv6.conf.ny-vxlan6.addr_gen_mode', value: '1' },
  ];
}

function towards6(ns: string | undefined, number: number): KernelObject[] {
  const where = { ...(ns === undefined ? {} : { ns }), link: 'ny-vxlan6' };
  const via = `fe80::${number}`;
  return [
    { kind: 'fdb', ...where, mac: mac(number), remote: `2001:db8::${number}` },
    { kind: 'neighbour', ...where, address: via, mac: mac(number) },
    { kind: 'route', ...where, to: `10.0.${number}.0/24`, via, protocol: 78 },
    { kind: 'route', ...where, to: `fd00:${number}::/64`, via, protocol: 78 },
  ];
}
const here6 = [...tunnel6(undefined, 1), ...towards6(undefined, 2)];
const plan6 = { owner: 'tunnel', objects: [...here6, ...tunnel6(there, 2), ...towards6(there, 1)] };
const pings6 = (options = '-w 60'): boolean =>
  sh(`ping -c 1 ${options} -I fd00:1::1 fd00:2::1 >/dev/null 2>&1 && echo yes || echo no`) === 'yes\n';

test('a tunnel between IPv6 addresses carries both families up to its MTU, beside one of IPv4', host, async () => {
  sh(`ip address add 2001:db8::1/64 dev up0 nodad; ip -n there address add 2001:db8::2/64 dev up0 nodad
    ip address add fd00:1::1/128 dev lo nodad; ip -n there address add fd00:2::1/128 dev lo nodad`);
  await kernel.apply({ owner: 'other', objects: [tunnel(undefined, 1)] });
  assert.equal((await kernel.apply(plan6)).operations.length, plan6.objects.length);
  assert.ok(pings() && pings6());
  assert.ok(pings('-w 60 -M do -s 1402') && pings6('-w 60 -M do -s 1382'));
  assert.ok(!pings('-W 1 -M do -s 1403') && !pings6('-W 1 -M do -s 1383'));
  assert.deepEqual((await kernel.apply(plan6)).operations, []);
  assert.match(
    sh('ip -d link show ny-vxlan6'),
    /vxlan id 28281 local 2001:db8::1 .* noudp6zerocsumtx noudp6zerocsumrx/,
  );
});

test('each change of a tunnel between IPv6 addresses is detected and repaired', host, async () => {
  const breakages: [string, string][] = [
    ['ip neighbour delete fe80::2 dev ny-vxlan6', 'create neighbour'],
    [`bridge fdb delete ${mac(2)} dev ny-vxlan6`, 'create fdb'],
    [`bridge fdb replace ${mac(2)} dev ny-vxlan6 dst 2001:db8::9`, 'change fdb'],
    ['ip route delete 10.0.2.0/24', 'create route'],
    ['ip -6 route delete fd00:2::/64', 'create route'],
    ['ip link set ny-vxlan6 type vxlan local 2001:db8::7', 'change vxlan'],
  ];
  for (const [command, expected] of breakages) {
    sh(command);
    const { operations } = await kernel.apply(plan6);
    assert.deepEqual(
      operations.map(({ action, object }) => `${action} ${object.kind}`),
      [expected],
      command,
    );
    assert.ok(pings() && pings6(), command);
  }
  const replacements = ['local 192.0.2.1', 'local 2001:db8::1 udp6zerocsumrx'];
  for (const options of replacements) {
    sh(`ip link delete ny-vxlan6; ip link delete ny-vxlan 2>/dev/null
      ip link add ny-vxlan6 type vxlan id 28281 ${options} dstport 4789 nolearning`);
    await kernel.apply(plan6);
    await kernel.apply(plan6); // what the kernel deleted with the link
    assert.ok(pings() && pings6(), options);
    assert.match(sh('ip -d link show ny-vxlan6'), /local 2001:db8::1 .* noudp6zerocsumrx/, options);
  }
});

test('removing a tunnel between IPv6 addresses leaves nothing behind', host, async () => {
  await kernel.remove(plan6);
  assert.equal(
    sh('ip -o link show type vxlan; bridge fdb | grep dst || true; ip route show proto 78; ip -6 route show proto 78'),
    '',
  );
});
