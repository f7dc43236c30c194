/**
 * Cycles of load, kill -9 and damage in a lab host. After each one the daemon must start, or reject its state and start
 * after `system recover`, with every container that docker had reported as created, its layer and its process.
 */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { openHost, type TestHost } from '../support/host.ts';
import { archivePath } from '../support/images.ts';
import { randomOf } from '../support/random.ts';
import { type Damage, damages } from './damages.ts';

export interface CycleResult {
  damage: string;
  /** Result of the daemon's next start. */
  outcome: 'started' | 'rejected, recovered' | 'down';
  containers: number;
  lost: string[];
  layersDeleted: string[];
  /** Other failures. */
  failures: string[];
}

export interface CycleOptions {
  cycles: number;
  seed: number;
  /** Only these kinds of damage, one after the other; default: all, at random. */
  only?: readonly string[];
  report: (cycle: number, result: CycleResult) => void;
}

const setup = `
  mkdir -p /damage /run/damage/old; mount -t tmpfs -o size=160m none /damage`;
const variables = `PATH=${join(import.meta.dirname, '../../bin')}:$PATH
  D=/damage/data OLD=/run/damage/old DOCKER_HOST=unix:///run/damage/d.sock; export PATH D OLD DOCKER_HOST;`;

/** Starts the daemon; prints `ready`, or its last log lines when it exited. */
const startLine = `${variables}
  setsid netyard daemon --bip 192.168.77.1/24 --data-root $D --exec-root /run/damage/exec --pidfile /run/damage/pid -H $DOCKER_HOST >/run/damage/log 2>&1 & pid=$!
  echo $pid > /run/damage/daemon
  for _ in $(seq 600); do docker version >/dev/null 2>&1 && { echo ready; exit 0; }; kill -0 $pid 2>/dev/null || break; sleep 0.1; done
  tail -n 4 /run/damage/log`;

/** Creates and removes containers. The list gets `+ID` when docker has answered, and `-ID` before a removal. */
const loadLine = (cycle: number): string => `${variables}
  n=0; while [ ! -f /run/damage/stop ]; do n=$((n+1))
    id=$(docker run -d --name t${cycle}-$n netyard-test sh -c 'echo $HOSTNAME > /precious; sleep 1000' 2>/dev/null) || { sleep 0.05; continue; }
    echo "+$id" >> /run/damage/list
    docker exec t${cycle}-$n true >/dev/null 2>&1
    case $((n % 3)) in
    0) docker stop -t 0 t${cycle}-$n >/dev/null 2>&1 ;;
    1) echo "-$id" >> /run/damage/list; docker rm -f t${cycle}-$n >/dev/null 2>&1 ;;
    esac
  done`;

export async function runCycles({ cycles, seed, only, report }: CycleOptions): Promise<CycleResult[]> {
  const random = randomOf(seed);
  const host = await openHost('netyard', { daemon: false });
  const results: CycleResult[] = [];
  try {
    await host.sh(setup);
    const output = await start(host);
    if (output !== 'ready') throw new Error(`the daemon does not start: ${output}`);
    await createContainers(host);
    for (let cycle = 1; cycle <= cycles; cycle += 1) {
      const result = await runCycle(host, cycle, pickDamage(random, cycle, only), random);
      results.push(result);
      report(cycle, result);
      if (result.outcome === 'down') break;
    }
  } finally {
    await removeAll(host);
    await host.close();
  }
  return results;
}

function pickDamage(random: () => number, cycle: number, only: readonly string[] | undefined): Damage {
  const chosen = only === undefined ? damages : damages.filter(({ name }) => only.includes(name));
  const at = only === undefined ? Math.floor(random() * chosen.length) : (cycle - 1) % chosen.length;
  const damage = chosen[at];
  if (!damage) throw new Error(`unknown damage: ${only?.join(', ')}`);
  return damage;
}

async function start(host: TestHost): Promise<string> {
  return (await host.sh(startLine)).trim();
}

/** Creates the containers that exist in all cycles. */
async function createContainers(host: TestHost): Promise<void> {
  await host.sh(`${variables} : > /run/damage/list
    docker load -qi ${archivePath('netyard-test')} >/dev/null
    docker volume create --label a=b precious >/dev/null
    a=$(docker run -d --name web -p 8801:80 --restart always -v precious:/data netyard-test sh -c 'echo precious > /precious; while :; do echo line; sleep 1; done')
    b=$(docker run -d --name linked --link web:alias netyard-test sleep 100000)
    c=$(docker create --name idle netyard-test true)
    printf '+%s\\n' $a $b $c >> /run/damage/list`);
}

async function runCycle(host: TestHost, cycle: number, damage: Damage, random: () => number): Promise<CycleResult> {
  const failures: string[] = [];
  const pid = await pidOf(host);
  if (cycle === 1 || random() < 0.5) await host.sh(`${variables} rm -f $OLD/*; cp $D/netyard.db* $OLD/`);
  await host.sh('rm -f /run/damage/stop');
  const load = host.run(['sh', '-c', loadLine(cycle)]);
  await pause(200 + random() * 1200);
  if (damage.fillsDisk) {
    await host.run([
      'sh',
      '-c',
      'dd if=/dev/zero of=/damage/fill bs=64k; dd if=/dev/zero of=/damage/fill2 bs=512; true',
    ]);
    await pause(random() * 500);
  }
  await host.sh(
    'touch /run/damage/stop; p=$(cat /run/damage/daemon); kill -9 $p; while kill -0 $p 2>/dev/null; do sleep 0.02; done',
  );
  await load;
  await host.run(['sh', '-c', `${variables} ${damage.line(random)}; true`]);
  const outcome = await restart(host, failures);
  if (damage.fillsDisk && outcome !== 'down') failures.push(...(await useFullDisk(host)));
  const checked =
    outcome === 'down' ? { containers: 0, lost: [], layersDeleted: [] } : await check(host, pid, failures);
  await host.run(['sh', '-c', cleanUpLine]);
  return { damage: damage.name, outcome, ...checked, failures };
}

async function restart(host: TestHost, failures: string[]): Promise<CycleResult['outcome']> {
  const output = await start(host);
  if (output === 'ready') return 'started';
  const layers = await missingLayers(host);
  if (layers.length > 0) failures.push(`layers missing after a rejected start: ${layers.join(' ')}`);
  if (!output.includes('netyard system recover')) failures.push(`rejected without a hint: ${output}`);
  const recovered = await host.run(['sh', '-c', `${variables} netyard system recover --data-root $D`]);
  if (recovered.status !== 0) failures.push(`recover: ${recovered.stderr.trim()}`);
  const again = await start(host);
  if (again === 'ready') return 'rejected, recovered';
  failures.push(`after recover: ${again}`);
  return 'down';
}

/** Stops and removes a container on the full disk, then frees space. */
async function useFullDisk(host: TestHost): Promise<string[]> {
  const done = await host.run([
    'sh',
    '-c',
    `${variables} name=$(docker ps --format '{{.Names}}' | grep ^t | head -n 1); [ -n "$name" ] || exit 0
     echo "-$(docker inspect -f '{{.Id}}' $name)" >> /run/damage/list
     docker stop -t 0 $name >/dev/null && docker rm $name >/dev/null`,
  ]);
  await host.sh('rm -f /damage/fill /damage/fill2');
  return done.status === 0 ? [] : [`full disk: ${done.stderr.trim()}`];
}

const alive =
  "sed -n 's/^+//p' /run/damage/list | sort -u > /run/damage/plus; sed -n 's/^-//p' /run/damage/list | sort -u > /run/damage/minus; comm -23 /run/damage/plus /run/damage/minus";

async function missingLayers(host: TestHost): Promise<string[]> {
  const text = await host.sh(
    `${variables} for id in $(${alive}); do [ -d $D/overlay/containers/$id/upper ] || echo $id; done`,
  );
  return text.split('\n').filter((line) => line !== '');
}

async function check(
  host: TestHost,
  pid: string,
  failures: string[],
): Promise<Pick<CycleResult, 'containers' | 'lost' | 'layersDeleted'>> {
  const listed = await host.sh(`${variables} docker ps -aq --no-trunc`);
  const present = new Set(listed.split('\n'));
  const expected = (await host.sh(alive)).split('\n').filter((line) => line !== '');
  const lost = expected.filter((id) => !present.has(id));
  const tests: [string, string][] = [
    [
      'the layer of web',
      '[ "$(cat $D/overlay/containers/$(docker inspect -f {{.Id}} web)/upper/precious)" = precious ]',
    ],
    ['exec in web', '[ "$(docker exec web cat /precious)" = precious ]'],
    ['web’s port', '[ "$(docker port web 80 | head -n 1)" = 0.0.0.0:8801 ]'],
    ['web’s restart policy', '[ "$(docker inspect -f {{.HostConfig.RestartPolicy.Name}} web)" = always ]'],
    ['web’s log', 'docker logs --tail 1 web | grep -q line'],
    ['the volume', '[ "$(docker volume inspect -f {{.Labels.a}} precious)" = b ]'],
    [
      'the link',
      'docker exec linked grep -q alias /etc/hosts && docker inspect -f "{{json .HostConfig}}" linked | grep -q /web:/linked/alias',
    ],
    ['the image', 'docker image inspect netyard-test >/dev/null'],
  ];
  for (const [name, line] of tests) {
    const result = await host.run(['sh', '-c', `${variables} ${line}`]);
    if (result.status !== 0) failures.push(`${name}: ${result.stderr.trim()}`);
  }
  const now = await pidOf(host);
  if (now !== pid) failures.push(`web’s process changed from ${pid} to ${now}`);
  return { containers: expected.length, lost, layersDeleted: await missingLayers(host) };
}

async function pidOf(host: TestHost): Promise<string> {
  return (await host.sh(`${variables} docker inspect -f '{{.State.Pid}}' web || true`)).trim();
}

/** Removes the cycle's containers and the files that `recover` saved. */
const cleanUpLine = `${variables} rm -f /damage/fill /damage/fill2 $D/netyard.db.aside-*
  ids=$(docker ps -aq --no-trunc --filter name=^t); for id in $ids; do echo "-$id" >> /run/damage/list; done
  [ -z "$ids" ] || docker rm -f $ids >/dev/null 2>&1`;

async function removeAll(host: TestHost): Promise<void> {
  await host.run([
    'sh',
    '-c',
    `${variables} docker rm -f $(docker ps -aq); kill $(cat /run/damage/daemon); sleep 1; umount -l /damage; true`,
  ]);
}
