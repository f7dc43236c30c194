/** Shared by the tests on an in-memory kernel: a testbed, a user-defined network and a matcher for errors. */
import assert from 'node:assert/strict';
import { isNetyardError } from '@netyard/core';
import { errnoOf, kernelError } from '@netyard/kernel';
import { FakeKernel } from '@netyard/testkit';
import type { SandboxConfig } from '../src/index.ts';
import { Testbed } from './testbed.ts';

export async function openFakeTestbed(): Promise<{ kernel: FakeKernel; testbed: Testbed }> {
  const kernel = new FakeKernel();
  const testbed = new Testbed({ kernel, settings: { legacyTables: '/dev/null' } });
  await testbed.networks.start([]);
  return { kernel, testbed };
}

export const refuses = (code: string, message: string | RegExp) => (error: unknown) => {
  assert.ok(isNetyardError(error), String(error));
  assert.equal(error.code, code);
  if (typeof message === 'string') assert.equal(error.message, message);
  else assert.match(error.message, message);
  return true;
};

export const userDefined = 'user-specified IP address is supported on user-defined networks only';

export const frontNetwork = {
  id: 'f'.repeat(64),
  name: 'front',
  ipam: { driver: 'default', v4: [{ subnet: '10.5.0.0/24', gateway: '10.5.0.1' }] },
  options: { 'com.docker.network.bridge.name': 'ny-front' },
  predefined: false,
};

export const tcp = (hostPort: number) => ({ protocol: 'tcp' as const, containerPort: 80, hostPort });

/** The next flush of conntrack entries, which publishing and withdrawing a UDP port ends with, fails. */
export function failConntrackFlush(kernel: FakeKernel): void {
  const { flushConntrack } = kernel;
  kernel.flushConntrack = async () => {
    kernel.flushConntrack = flushConntrack;
    throw kernelError(errnoOf('EIO'), 'flush', 'conntrack');
  };
}

/** The relay of the next port that is reserved at :: cannot start. */
export function failRelay(kernel: FakeKernel): void {
  const { reservePort } = kernel;
  kernel.reservePort = (protocol, address, port) => {
    const reservation = reservePort.call(kernel, protocol, address, port);
    if (address !== '::') return reservation;
    kernel.reservePort = reservePort;
    const relay = (): never => {
      throw kernelError(errnoOf('EMFILE'), 'relay', address);
    };
    return { ...reservation, relay };
  };
}

/** Without the order of creation. */
export const objectsOf = (kernel: FakeKernel): string[] =>
  kernel
    .objects()
    .map((one) => JSON.stringify(one))
    .sort();

export const udp = (hostPort: number) => ({ protocol: 'udp' as const, containerPort: 53, hostPort });

/** A user-defined network, in the store before the package opens. */
export async function openFront(testbed: Testbed): Promise<void> {
  testbed.store.putNetwork({ ...testbed.networks.get('bridge'), ...frontNetwork });
  await testbed.networks.close();
  await testbed.open().start([]);
}

export const onFront = (v4?: string): Partial<SandboxConfig> => ({
  mode: { kind: 'network', ref: 'front' },
  endpoints: [{ network: 'front', ...(v4 === undefined ? {} : { addresses: { v4 } }) }],
});

/** The container has renamed its interfaces: plans with a default route fail. */
export function failDefaultRoutes(kernel: FakeKernel): void {
  const apply = kernel.apply.bind(kernel);
  kernel.apply = async (plan, options) => {
    const route = plan.objects.find((object) => object.kind === 'route' && object.ns !== undefined);
    if (route) throw kernelError(errnoOf('ENODEV'), 'ip link show', 'eth1');
    return await apply(plan, options);
  };
}
