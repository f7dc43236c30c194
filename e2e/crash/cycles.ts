/**
 * Cycles of load and kill -9 in a lab host. After each one the daemon starts again, and what its API reports must be what
 * exists: see compare.ts. Two containers of a network ping each other all the time.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { call } from '../support/api.ts';
import { setBridgeNetfilter } from '../support/bridge-netfilter.ts';
import { openHost, type TestHost, until } from '../support/host.ts';
import { takeEmptyInventory, untilInventory } from '../support/leftovers.ts';
import { Ping, type PingResult } from '../support/ping.ts';
import { randomOf } from '../support/random.ts';
import { adoptState, compare, compareAnswers } from './compare.ts';
import { Load, type LoadResult, type Slots } from './load.ts';
import { type Api, type ApiContainer, observe, readApi } from './observe.ts';
import { newContainerSlots, newNetworkSlots } from './operations.ts';

export interface CycleResult extends LoadResult {
  /** Number of running containers, of all containers and of networks after the start. */
  running: number;
  containers: number;
  networks: number;
  /** Further bridges of networks. */
  segments: number;
}

export interface CrashResult {
  cycles: CycleResult[];
  /** Over IPv4 and IPv6. */
  pings: PingResult[];
  /** Failures at the end, when everything is removed. */
  failures: string[];
}

export interface CrashOptions {
  cycles: number;
  seed: number;
  /** Without br_netfilter, so that a network with more containers gets segments. */
  portsPerBridge?: number;
  report: (cycle: number, result: CycleResult) => void;
}

export async function runCrashes({ cycles, seed, portsPerBridge, report }: CrashOptions): Promise<CrashResult> {
  const random = randomOf(seed);
  const daemonOptions = portsPerBridge === undefined ? [] : ['--ports-per-bridge', String(portsPerBridge)];
  const host = await openHost('netyard', { images: ['netyard-test'], daemonOptions });
  try {
    if (portsPerBridge !== undefined) await withoutBridgeNetfilter(host);
    const before = await takeEmptyInventory(host);
    const pings = await startSteadyPair(host);
    const slots = { containers: newContainerSlots(6), networks: newNetworkSlots() };
    const results: CycleResult[] = [];
    for (let cycle = 1; cycle <= cycles; cycle += 1) {
      const result = await runCycle(host, slots, random);
      results.push(result);
      report(cycle, result);
    }
    const pinged = await Promise.all(pings.map((ping) => ping.stop()));
    const failures = await removeAll(host);
    await untilInventory(host, before, ['links', 'namespaces', 'routes']).catch((error: Error) =>
      failures.push(`left behind: ${error.message}`),
    );
    return { cycles: results, pings: pinged, failures };
  } finally {
    await host.close();
  }
}

/** The daemon samples the setting, and reads it at its start. */
async function withoutBridgeNetfilter(host: TestHost): Promise<void> {
  await host.sh(setBridgeNetfilter(0));
  await host.killDaemon();
  await host.restartDaemon();
}

/** Two containers that are never changed; one pings the other by both its addresses. */
async function startSteadyPair(host: TestHost): Promise<Ping[]> {
  await host.docker('network', 'create', '--ipv6', '--subnet', '10.77.0.0/24', 'steady');
  for (const name of ['steady-a', 'steady-b'])
    await host.docker('run', '-d', '--name', name, '--net', 'steady', 'netyard-test', 'sleep', '100000');
  const { containers } = await readApi(host);
  const find = (name: string): ApiContainer | undefined => containers.find((one) => one.Name === name);
  const to = find('/steady-b')?.NetworkSettings.Networks['steady'];
  const from = find('/steady-a')?.NetworkSettings.SandboxKey;
  const addresses = [to?.IPAddress ?? '', to?.GlobalIPv6Address ?? ''];
  return await Promise.all(addresses.map((address) => Ping.start(host, address, from)));
}

async function runCycle(host: TestHost, slots: Slots, random: () => number): Promise<CycleResult> {
  const load = new Load(host, slots, random, 1 + Math.floor(random() * 3));
  await pause(random() * 700);
  await host.killDaemon();
  const result = await load.stop();
  const failures = [...result.failures];
  try {
    await host.restartDaemon();
    const api = await readApi(host);
    failures.push(...compareAnswers(slots, api), ...(await differences(host)), ...(await probe(host, api, random)));
    adoptState(slots, api);
    return { ...result, failures, ...countsOf(api), segments: await countSegments(host) };
  } catch (error) {
    failures.push(`the daemon does not start: ${String(error)}`);
    return { ...result, failures, running: 0, containers: 0, networks: 0, segments: 0 };
  }
}

const countSegments = async (host: TestHost): Promise<number> =>
  Number(await host.sh('ls -d /sys/class/net/nyb* 2> /dev/null | wc -l'));

const countsOf = ({ containers, networks }: Api): Pick<CycleResult, 'running' | 'containers' | 'networks'> => ({
  running: containers.filter(({ State: state }) => state.Running).length,
  containers: containers.length,
  networks: networks.length,
});

/** The kernel deletes interfaces and containerd ends shims a moment later: waits until nothing differs. */
async function differences(host: TestHost): Promise<string[]> {
  let found: string[] = [];
  const isSame = async (): Promise<boolean> => {
    found = compare(await readApi(host), await observe(host));
    return found.length === 0;
  };
  try {
    await until(isSame, 'API and host agree', 30_000);
  } catch (error) {
    return found.length > 0 ? found : [`API and host could not be compared: ${String(error)}`];
  }
  return [];
}

/** A name resolves, and a running container reaches a neighbour by name and address. */
async function probe(host: TestHost, api: Api, random: () => number): Promise<string[]> {
  const pairs = api.containers.flatMap((from) => neighboursOf(api, from).map((to) => ({ from, ...to })));
  const chosen = pairs[Math.floor(random() * pairs.length)];
  const lines = ['docker exec steady-a ping -c 1 -W 5 steady-b'];
  if (chosen) {
    const { from, name, address } = chosen;
    for (const target of [name, address]) lines.push(`docker exec ${from.Name.slice(1)} ping -c 1 -W 5 ${target}`);
  }
  const failures: string[] = [];
  for (const line of lines) {
    const { status, stdout, stderr } = await host.run(['sh', '-c', line]);
    if (status !== 0) failures.push(`${line}: ${stdout}${stderr}`.trim());
  }
  return failures;
}

/** Containers in a common user-defined network whose containers may communicate. */
function neighboursOf({ containers, networks }: Api, from: ApiContainer): { name: string; address: string }[] {
  if (!from.State.Running) return [];
  const open = networks.filter(({ Name: name }) => name !== 'bridge' && name !== 'isolated');
  return containers
    .filter((to) => to.Id !== from.Id && to.State.Running)
    .flatMap((to) =>
      open.flatMap(({ Name: network }) => {
        const isCommon = network in from.NetworkSettings.Networks && network in to.NetworkSettings.Networks;
        const endpoint = isCommon ? to.NetworkSettings.Networks[network] : undefined;
        const address = endpoint?.IPAddress || endpoint?.GlobalIPv6Address;
        return address ? [{ name: `${to.Name.slice(1)}.${network}`, address }] : [];
      }),
    );
}

async function removeAll(host: TestHost): Promise<string[]> {
  await host.removeContainers();
  const { networks } = await readApi(host);
  const failures: string[] = [];
  for (const { Name: name } of networks.filter((one) => !['bridge', 'host', 'none'].includes(one.Name))) {
    const { status, body } = await call(host, 'DELETE', `/networks/${name}`);
    if (status !== 204) failures.push(`network rm ${name}: ${status} ${body}`);
  }
  return [...failures, ...(await differences(host))];
}
