/** What open pages cost the daemon: its CPU time on a host whose containers all have traffic, without and with pages. */
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { execInHost } from '@netyard/lab';
import { api, daemonPid, type Engine, engineIn, setUpEngine } from '../engine.ts';
import { inLab, output, say } from '../in-lab.ts';
import { image } from '../scenarios.ts';
import type { DaemonCost } from './report.ts';

const tabs = 3;
const netyard = join(import.meta.dirname, '../../bin/netyard');
const definition = `
name: bench
switch: 172.30.0.0/16
hosts:
  netyard: { address: 172.30.0.1/16, daemon: ['--web', '127.0.0.1:7420'] }
`;

export interface DaemonCostOptions {
  archive: string;
  containers: number;
  rounds: number;
  /** Seconds of each measurement. */
  seconds: number;
}

export async function measureDaemon({ archive, containers, rounds, seconds }: DaemonCostOptions): Promise<DaemonCost> {
  return await inLab(definition, async () => {
    const engine = engineIn('bench', 'netyard');
    await setUpEngine(engine, archive);
    say(`${containers} containers that ping …`);
    await startContainers(engine, containers);
    for (const peer of [2, 3, 4, 5]) await addPeer(engine, peer);
    const pid = daemonPid(engine.handle);
    await pause(5_000); // what the starts left to do
    const [alone, watched]: [number[], number[]] = [[], []];
    for (let round = 0; round < rounds; round += 1) {
      say(`daemon, round ${round + 1} of ${rounds} …`);
      alone.push(await sampleCpu(pid, seconds));
      const close = await openTabs(engine);
      watched.push(await sampleCpu(pid, seconds));
      await close();
    }
    return { containers, tabs, alone, watched };
  });
}

/** Each pings the bridge twice a second, and prints nothing. */
async function startContainers(engine: Engine, count: number): Promise<void> {
  const Cmd = ['sh', '-c', 'exec ping -q -i 0.5 172.17.0.1 > /dev/null'];
  for (let number = 0; number < count; number += 1) {
    const name = `ping-${number}`;
    await api(engine, 'POST', `/containers/create?name=${name}`, { Image: image, Cmd });
    await api(engine, 'POST', `/containers/${name}/start`);
  }
}

async function addPeer({ handle }: Engine, number: number): Promise<void> {
  const where = ['--address', `172.30.0.${number}`, '--subnet', `192.168.${number}.0/24`];
  await output(handle, [netyard, 'peer', 'add', `server${number}`, ...where]);
}

/** Returns how to close them. */
async function openTabs({ handle }: Engine): Promise<() => Promise<void>> {
  const address = (await output(handle, [netyard, 'web'])).trim();
  const command = [process.execPath, join(import.meta.dirname, 'tabs.ts'), address, String(tabs)];
  const child = execInHost(handle, command, {
    environment: process.env,
    folder: '/',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const { stdout } = child;
  const ended = once(child, 'close');
  if (stdout === null) throw new Error('the tabs have no output');
  await Promise.race([once(stdout, 'data'), ended.then(() => Promise.reject(new Error('the tabs ended')))]);
  await pause(2_000); // until the first picture and rates are sent
  return async () => {
    child.kill();
    await ended;
  };
}

/** Percent of one core that a process uses, by its threads' time on CPUs (proc(5), schedstat: nanoseconds). */
async function sampleCpu(pid: number, seconds: number): Promise<number> {
  const before = cpuTime(pid);
  await pause(seconds * 1_000);
  return ((cpuTime(pid) - before) / (seconds * 1e9)) * 100;
}

function cpuTime(pid: number): number {
  const folder = `/proc/${pid}/task`;
  const times = readdirSync(folder).map((thread) => readFileSync(join(folder, thread, 'schedstat'), 'utf8'));
  return times.reduce((sum, text) => sum + Number(text.split(' ')[0]), 0);
}
