/** Sets up user-defined bridge networks beside the default one, between a neighbouring host and containers. */
import { spawn } from 'node:child_process';
import { after, before, describe } from 'node:test';
import { newId } from '@netyard/core';
import { openKernel } from '@netyard/kernel';
import { type Family, perFamily } from '@netyard/network';
import { addIpv6Neighbour, addIpv6Uplink, addNeighbour, addUplink, sh } from '@netyard/testkit';
import type { NetworkMode, NetworkRecord, NetworkSettings, SandboxState } from '../src/index.ts';
import { memoryStore } from './memory-store.ts';
import { Testbed } from './testbed.ts';

export const bridgeOption = (name: string): string => `com.docker.network.bridge.${name}`;

interface Traits {
  internal?: boolean;
  /** Default: IPv4 only. */
  families?: readonly Family[];
  /** Driver options; names without a dot are those of `bridgeOption`. */
  options?: Record<string, string>;
}

/** The network `name` with the subnet 10.`number`.0.0/24 or fd00:`number`::/64 on the bridge `br-NAME`. */
export function bridgeNetwork(
  name: string,
  number: number,
  { internal = false, options = {}, families = ['v4'] }: Traits = {},
) {
  const pools = perFamily((family) => {
    if (!families.includes(family)) return undefined;
    const [subnet, gateway] = family === 'v4' ? [`10.${number}.0.0/24`, `10.${number}.0.1`] : ipv6Subnet(number);
    return [{ subnet, ...(options[`gateway_mode_ip${family}`] === 'isolated' ? {} : { gateway }) }];
  });
  const entries = Object.entries({ name: `br-${name}`, ...options });
  const record: NetworkRecord = {
    ...{ id: newId(), name, driver: 'bridge', created: 0n, internal, attachable: false, labels: {} },
    ipam: { driver: 'default', ...pools },
    options: Object.fromEntries(entries.map(([key, value]) => [key.includes('.') ? key : bridgeOption(key), value])),
    predefined: false,
  };
  return record;
}

const ipv6Subnet = (number: number): [string, string] => [`fd00:${number}::/64`, `fd00:${number}::1`];

export interface BridgesSetup {
  networks: readonly NetworkRecord[];
  settings?: Partial<NetworkSettings>;
  /** Values of bridge-nf-call-iptables to run with. Default: both. */
  bridgeNetfilter?: readonly ('0' | '1')[];
}

/** As `describeBridge`, with more networks. The neighbour, also 2001:db8::9, routes their subnets through this host. */
export function describeBridges(
  host: { skip: string | false },
  { networks, settings = {}, bridgeNetfilter = ['1', '0'] }: BridgesSetup,
  tests: (testbed: Testbed, neighbour: string) => void,
): void {
  for (const value of bridgeNetfilter) {
    describe(`with bridge-nf-call-iptables=${value}`, host, () => {
      const kernel = openKernel();
      const store = memoryStore();
      for (const record of networks) store.putNetwork(record);
      const testbed = new Testbed({ kernel, settings, store });
      before(async () => {
        sh(`sysctl -qw net.bridge.bridge-nf-call-iptables=${value} net.bridge.bridge-nf-call-ip6tables=${value}`);
        addUplink();
        addNeighbour('neighbour', 9);
        addIpv6Uplink();
        addIpv6Neighbour('neighbour', 9);
        sh('ip -n neighbour route add fd00::/16 via 2001:db8::1');
        sh('ip -n neighbour route add 10.0.0.0/8 via 192.0.2.1; ip -n neighbour route add 172.16.0.0/12 via 192.0.2.1');
        await testbed.networks.start([]);
      });
      after(async () => {
        for (const id of [...testbed.containers.keys()]) await testbed.remove(id);
        await testbed.close();
        kernel.close();
        const links = [...networks.map(({ options }) => options[bridgeOption('name')]), 'docker0'];
        sh('ip netns delete neighbour; ip link delete n-neighbour; ip link delete up0; nft flush ruleset');
        sh(links.map((link) => `ip link delete ${link}`).join('; '));
      });
      tests(testbed, '/run/netns/neighbour');
    });
  }
}

export type Container = SandboxState & { containerId: string };

/** The network mode of a container. */
export const on = (ref: string): NetworkMode => ({ kind: 'network', ref });

export const addressOf = ({ endpoints }: Container, network?: string, family: Family = 'v4'): string => {
  const found = network === undefined ? endpoints[0] : endpoints.find(({ networkName }) => networkName === network);
  return found?.addresses[family]?.address ?? '';
};

/** `ADDRESS:PORT`, for `probeBriefly`. */
export const portAt = (address: string, port: number): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;

/** What answers within a second, of servers of `serve` and of echo requests; all are asked at the same time. */
export async function probeBriefly(ns: string | undefined, targets: readonly string[]): Promise<string[]> {
  const answers = await Promise.all(
    targets.map(async (target) => {
      const isPort = /^\[.*\]:|^[^:]*:\d+$/.test(target);
      const ask = [
        'socat',
        '-T',
        '1',
        '-t',
        '1',
        '-',
        `TCP${target.startsWith('[') ? 6 : 4}:${target},connect-timeout=1`,
      ];
      const command = isPort ? ask : ['ping', '-c', '1', '-W', '1', target];
      return (await succeedsWithOutput(ns, command)) ? [target] : [];
    }),
  );
  return answers.flat();
}

function succeedsWithOutput(ns: string | undefined, command: readonly string[]): Promise<boolean> {
  const [program = '', ...rest] = ns === undefined ? command : ['nsenter', `--net=${ns}`, ...command];
  const child = spawn(program, rest, { stdio: ['pipe', 'pipe', 'ignore'] });
  child.stdin.on('error', () => undefined); // it has ended already
  child.stdin.end('hello\n');
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  return new Promise((resolve) => {
    child.on('close', (code) => resolve(code === 0 && output !== ''));
  });
}
