/** Automatic subnets: Docker's order, what they avoid, and the cost with many networks. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatPrefix, isNetyardError } from '@netyard/core';
import type { Family, SubnetPool } from '../contract.ts';
import { blockBy, findOccupied, type HostUse } from './occupied.ts';
import { defaultSubnetPools, parseSubnetPool, subnetPoolsOf } from './subnet-pools.ts';
import { SubnetSpace } from './subnet-space.ts';

const freeHost: HostUse = { routes: [], addresses: [], resolvConf: '' };

class Allocator {
  readonly space: SubnetSpace;
  readonly #host: HostUse;
  #count = 0;

  constructor(pools: readonly SubnetPool[] = defaultSubnetPools, host: Partial<HostUse> = {}) {
    this.space = new SubnetSpace(pools);
    this.#host = { ...freeHost, ...host };
  }

  next(size?: number, family: Family = 'v4'): string {
    const isOwn = (link: string): boolean => link.startsWith('br-');
    return formatPrefix(this.space.next(family, blockBy(findOccupied(this.#host, isOwn)[family]), size));
  }

  create(size?: number, family: Family = 'v4'): string {
    const subnet = this.next(size, family);
    this.#count += 1;
    assert.ok(this.space.take(subnet, `n${this.#count}`));
    return subnet;
  }
}

test("automatic subnets are Docker's in Docker's order, and then /24 of 10.208.0.0/12", () => {
  const allocator = new Allocator();
  const subnets = Array.from({ length: 33 }, () => allocator.create());
  assert.deepEqual(
    [0, 1, 14, 15, 16, 30, 31, 32].map((index) => subnets[index]),
    [
      ...['172.17.0.0/16', '172.18.0.0/16', '172.31.0.0/16', '192.168.0.0/20', '192.168.16.0/20', '192.168.240.0/20'],
      ...['10.208.0.0/24', '10.208.1.0/24'],
    ],
  );
});

test('a released subnet is the next one, and a requested one is skipped', () => {
  const fresh = new Allocator();
  fresh.space.take('172.18.5.0/24', 'requested');
  assert.deepEqual([fresh.create(), fresh.create()], ['172.17.0.0/16', '172.19.0.0/16']);
  fresh.space.free('172.17.0.0/16', 'another network');
  assert.equal(fresh.next(), '172.20.0.0/16', "another network's subnet is not released");
  fresh.space.free('172.17.0.0/16', 'n1');
  assert.equal(fresh.next(), '172.17.0.0/16');
  fresh.space.free('172.18.5.0/24', 'requested');
  fresh.space.take('172.17.0.0/16', 'n9');
  assert.equal(fresh.next(), '172.18.0.0/16');
});

test('overlapping subnets belong to one network only', () => {
  const { space } = new Allocator();
  assert.ok(space.take('10.1.0.0/16', 'a'));
  assert.equal(space.take('10.1.2.0/24', 'b'), false);
  assert.equal(space.overlapping('10.0.0.0/8'), 'a');
  space.free('10.1.2.0/24', 'b');
  assert.equal(space.overlapping('10.1.9.0/24'), 'a');
  assert.equal(space.overlapping('10.2.0.0/16'), undefined);
});

test('a size takes the lowest free block of it from any pool', () => {
  const allocator = new Allocator();
  assert.deepEqual(
    [allocator.create(24), allocator.create(24), allocator.create()],
    [...['172.17.0.0/24', '172.17.1.0/24', '172.18.0.0/16']],
  );
  assert.equal(allocator.next(20), '172.17.16.0/20');
  assert.equal(allocator.next(14), '172.20.0.0/14');
});

const occupied: [string, Partial<HostUse>, string][] = [
  ['a route through a gateway', { routes: [{ to: '172.16.0.0/12', link: 'tun0' }] }, '192.168.0.0/20'],
  ['a route without a link', { routes: [{ to: '172.17.9.0/24' }] }, '172.18.0.0/16'],
  ['a route to one address', { routes: [{ to: '172.17.0.9', link: 'wg0' }] }, '172.18.0.0/16'],
  ['the subnet of an address', { addresses: [{ prefix: '172.17.8.3/20', link: 'eth0' }] }, '172.18.0.0/16'],
  ['a name server', { resolvConf: '# x\nnameserver 172.17.0.53\nnameserver fd00::53\n' }, '172.18.0.0/16'],
];
for (const [what, host, expected] of occupied)
  test(`an automatic subnet avoids ${what}`, () => {
    assert.equal(new Allocator(defaultSubnetPools, host).next(), expected);
  });

test("default routes, halves of them, IPv6 and the routes of Netyard's own bridges are no obstacle", () => {
  const routes = [
    ...[{ to: 'default' }, { to: '0.0.0.0/0' }, { to: '0.0.0.0/1' }, { to: '128.0.0.0/1', link: 'tun0' }],
    ...[{ to: 'fd00::/8' }, { to: '172.17.0.0/16', link: 'br-0123' }],
  ];
  assert.equal(new Allocator(defaultSubnetPools, { routes }).next(), '172.17.0.0/16');
});

test('when all pools are used up the error says how to get more', () => {
  const allocator = new Allocator([{ base: '10.9.0.0/29', size: 30 }]);
  assert.deepEqual([allocator.create(), allocator.create()], ['10.9.0.0/30', '10.9.0.4/30']);
  assert.throws(
    () => allocator.next(),
    (error) =>
      isNetyardError(error, 'invalid') &&
      error.message === 'all predefined address pools have been fully subnetted' &&
      /--default-address-pool/.test(error.hint ?? ''),
  );
});

test('with 3000 networks the next subnet is found without visiting them', () => {
  const routes = Array.from({ length: 500 }, (_, index) => ({ to: `10.${208 + (index >> 8)}.${index & 255}.0/24` }));
  const allocator = new Allocator([{ base: '10.208.0.0/12', size: 24 }], { routes });
  let visited = 0;
  const count = blockBy(findOccupied({ ...freeHost, routes }, () => false).v4);
  for (let index = 0; index < 3000; index += 1) {
    const subnet = allocator.space.next('v4', (range) => {
      visited += 1;
      return count(range);
    });
    allocator.space.take(formatPrefix(subnet), `n${index}`);
  }
  assert.ok(visited <= 6001, `${visited} blocks examined`);
});

test("IPv6 subnets are cut from the unique local addresses that Docker derives from the daemon's id", () => {
  // sha256 of the id begins with e3b0c44298fc1c14: fd and its 40 low bits
  const [base] = subnetPoolsOf([], '').filter(({ base }) => base.includes(':'));
  assert.deepEqual(base, { base: 'fd42:98fc:1c14::/48', size: 64 });
  const routes = [{ to: 'fd00::/8' }, { to: 'fd42:98fc:1c14:1::/64' }, { to: 'default' }, { to: '10.0.0.0/8' }];
  const allocator = new Allocator(subnetPoolsOf([], ''), { routes });
  assert.deepEqual(
    [allocator.create(64, 'v6'), allocator.create(undefined, 'v6'), allocator.create()],
    ['fd42:98fc:1c14::/64', 'fd42:98fc:1c14:2::/64', '172.17.0.0/16'],
  );
});

test('pools of one family leave the default pools of the other', () => {
  const own = { base: 'fd00:5::/56', size: 64 };
  assert.deepEqual(subnetPoolsOf([own]), [...defaultSubnetPools, own]);
  assert.deepEqual(
    subnetPoolsOf([{ base: '10.9.0.0/16', size: 24 }]).map(({ size }) => size),
    [24, 64],
  );
});

test('--default-address-pool is parsed and checked as by dockerd', () => {
  assert.deepEqual(parseSubnetPool('base=10.10.0.0/16,size=24'), { base: '10.10.0.0/16', size: 24 });
  for (const [text, expected] of [
    ['base=10.10.0.0/16', /both base and size are required/],
    ['base=10.10.0.0/16,size=x', /invalid size value: x/],
    ['base', /invalid field 'base' must be a key=value pair/],
    ['base=10.10.0.0/16,length=24', /unexpected key 'length' in 'length=24'/],
    ['base=10.10.0.1/16,size=24', /it should be 10\.10\.0\.0\/16/],
    ['base=10.10.0.0/16,size=12', /subnets of \/12 are larger than the pool/],
    ['base=10.10.0.0/16,size=31', /no room for containers/],
    ['base=10.10/16,size=24', /invalid CIDR address/],
    ['base=fd00::1/48,size=64', /it should be fd00::\/48/],
    ['base=fd00::/64,size=48', /subnets of \/48 are larger than the pool/],
    ['base=fd00::/64,size=127', /no room for containers/],
  ] as const)
    assert.throws(
      () => parseSubnetPool(text),
      (error) => isNetyardError(error, 'invalid') && expected.test(error.message),
    );
});
