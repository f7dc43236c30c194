/** When an ended process counts as a lost exit, with real processes and a containerd that reports what the test says. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { silentLogger } from '@netyard/core';
import type { RuntimeEvent } from '@netyard/engine';
import { Status } from '../containerd/gen/task_types_pb.ts';
import { exitCodeIn } from './ended-process.ts';
import { type LostExitOptions, LostExits } from './lost-exits.ts';

type Report = Awaited<ReturnType<LostExitOptions['report']>>;

const children: ChildProcess[] = [];
after(() => children.forEach((child) => void child.kill('SIGKILL')));

/** Any word of this process's groups: the children are in them, as a container's are in one with its id. */
const id = readFileSync('/proc/self/cgroup', 'utf8').trim();
const times = { everyMs: 5, askAfterMs: 5, killAfterMs: 60 };
const stopped = { status: Status.STOPPED, exitStatus: 3, exitedAt: undefined } as const;
const running = { status: Status.RUNNING, exitStatus: 0, exitedAt: undefined } as const;

async function startSleep(): Promise<{ child: ChildProcess; pid: number }> {
  const child = spawn('sleep', ['1000']);
  children.push(child);
  await once(child, 'spawn');
  return { child, pid: child.pid ?? 0 };
}

async function watchEnded(
  reportOf: (pid: number, asked: number, exits: LostExits) => Report,
  more: Partial<LostExitOptions> = {},
) {
  const { child, pid } = await startSleep();
  const killed: string[] = [];
  const emitted = Promise.withResolvers<RuntimeEvent>();
  let asked = 0;
  const exits: LostExits = new LostExits({
    times,
    report: async () => {
      asked += 1;
      return reportOf(pid, asked, exits);
    },
    killShim: (container) => void killed.push(container),
    emit: emitted.resolve,
    logger: silentLogger,
    ...more,
  });
  after(() => exits.close());
  exits.watch(id, pid);
  child.kill('SIGKILL');
  await once(child, 'exit');
  return { pid, exits, killed, emitted: emitted.promise, asked: () => asked };
}

/** Without its time. */
const codeOf = (event: RuntimeEvent) =>
  event.type === 'exit' ? [event.id, event.pid, event.exit.exitCode] : [event.type];

/** The code is SIGKILL's as long as the process is a zombie, and unknown when this process has reaped it. */
function assertUnreported(event: RuntimeEvent, pid: number): void {
  const [container, ofPid, code] = codeOf(event);
  assert.deepEqual([container, ofPid], [id, pid]);
  assert.ok(code === 137 || code === 255, String(code));
}

test('an exit that containerd knows is reported with its code, and the shim is left alone', async () => {
  const { pid, killed, emitted } = await watchEnded((of) => ({ ...stopped, pid: of }));
  assert.deepEqual(codeOf(await emitted), [id, pid, 3]);
  assert.deepEqual(killed, []);
});

test('the lost exit of an exec process is reported, and the shim of its container is left alone', async () => {
  for (const status of [stopped, running]) {
    const reported: (string | undefined)[] = [];
    const { child, pid } = await startSleep();
    const killed: string[] = [];
    const emitted = Promise.withResolvers<RuntimeEvent>();
    const exits = new LostExits({
      times,
      report: async (_id, execId) => {
        reported.push(execId);
        return { ...status, pid };
      },
      killShim: (container) => void killed.push(container),
      emit: emitted.resolve,
      logger: silentLogger,
    });
    after(() => exits.close());
    exits.watch(id, process.pid); // the main process, which runs
    exits.watch(id, pid, 'one');
    exits.note({ type: 'exit', id, execId: 'two', pid, exit: { exitCode: 0, exitedAt: 0n } });
    child.kill('SIGKILL');
    const event = await emitted.promise;
    assert.equal(event.type === 'exit' && event.execId, 'one');
    if (status === stopped) assert.deepEqual(codeOf(event), [id, pid, 3]);
    else assertUnreported(event, pid);
    assert.deepEqual([new Set(reported), killed], [new Set(['one']), []]);
    exits.close();
  }
});

test('a shim that still reports the process as running is killed', async () => {
  const { pid, killed, emitted } = await watchEnded((of) => ({ ...running, pid: of }));
  assertUnreported(await emitted, pid);
  assert.deepEqual(killed, [id]);
});

test('a shim that reports the end later is left alone', async () => {
  const patient = { ...times, killAfterMs: Number.POSITIVE_INFINITY };
  const report = (of: number, asked: number): Report => ({ ...(asked < 20 ? running : stopped), pid: of });
  const { pid, killed, emitted } = await watchEnded(report, { times: patient });
  assert.deepEqual(codeOf(await emitted), [id, pid, 3]);
  assert.deepEqual(killed, []);
});

test('a task that does not exist any more has ended', async () => {
  const { pid, emitted } = await watchEnded(() => undefined);
  assertUnreported(await emitted, pid);
});

test('while containerd is down nothing is decided', async () => {
  const { pid, emitted } = await watchEnded((of, asked) => {
    if (asked < 20) throw new Error('containerd is not running');
    return { ...stopped, pid: of };
  });
  assert.deepEqual(codeOf(await emitted), [id, pid, 3]);
});

test('containerd’s own event is enough, also while it is asked', async () => {
  const events: RuntimeEvent[] = [];
  const noted = Promise.withResolvers<void>();
  const report = (of: number, _asked: number, exits: LostExits): Report => {
    exits.note({ type: 'exit', id, pid: of, exit: { exitCode: 0, exitedAt: 0n } });
    noted.resolve();
    return { ...stopped, pid: of };
  };
  const { exits, pid, asked } = await watchEnded(report, { emit: (event) => void events.push(event) });
  await noted.promise;
  exits.watch(id, pid); // ended: not watched
  const { emitted } = await watchEnded(() => undefined); // as long as another look takes
  await emitted;
  assert.deepEqual([events, asked()], [[], 1]);
});

test('a container does not wait for the shim of another one', async () => {
  const other = id.slice(0, -1); // both are in the groups of these processes
  const both = [await startSleep(), await startSleep()];
  const firstIsAsked = Promise.withResolvers<void>();
  const otherIsAsked = Promise.withResolvers<void>();
  const emitted: string[] = [];
  const done = Promise.withResolvers<void>();
  const exits = new LostExits({
    times,
    report: async (container) => {
      if (container === other) otherIsAsked.resolve();
      else firstIsAsked.resolve();
      await otherIsAsked.promise;
      return undefined;
    },
    killShim: () => undefined,
    emit: (event) => {
      if (event.type === 'exit' && emitted.push(event.id) === 2) done.resolve();
    },
    logger: silentLogger,
  });
  after(() => exits.close());
  exits.watch(id, both[0]?.pid ?? 0);
  both[0]?.child.kill('SIGKILL');
  await firstIsAsked.promise;
  exits.watch(other, both[1]?.pid ?? 0);
  both[1]?.child.kill('SIGKILL');
  await done.promise;
  assert.deepEqual(emitted.sort(), [id, other].sort());
});

test('the exit code of a zombie is read as the kernel shows it', () => {
  const stat = (state: string, status: number): string =>
    `7 (a) b) ${state} ${Array.from({ length: 48 }, () => '0').join(' ')} ${status}`;
  assert.equal(exitCodeIn(stat('Z', 9 << 8)), 9);
  assert.equal(exitCodeIn(stat('Z', 15)), 143);
  assert.equal(exitCodeIn(stat('Z', 11 | 0x80)), 139); // with a core dump
  assert.equal(exitCodeIn(stat('S', 0)), undefined);
  assert.equal(exitCodeIn(''), undefined);
});
