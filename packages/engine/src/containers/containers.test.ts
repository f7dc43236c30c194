/** The pure parts of container handling: texts, policies, keys, names, merging. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isName, isNetyardError } from '@netyard/core';
import type { ContainerState } from '../model.ts';
import { DetachWatch, parseDetachKeys } from '../processes/detach-keys.ts';
import { mergeEnv } from '../processes/env.ts';
import { parseSignal } from '../processes/signals.ts';
import { coversNumbers } from './create-check.ts';
import { applyProbe, initialHealth, ProbeOutput, probeInterval } from './healthcheck.ts';
import { randomName } from './names.ts';
import { restartDelay, restartsAtBoot } from './restart-policy.ts';
import { humanDuration, statusText } from './status-text.ts';
import { parsePs } from './top.ts';

const second = 1_000_000_000n;

test('durations read as in Docker', () => {
  const cases: [bigint, string][] = [
    [0n, 'Less than a second'],
    [1n, '1 second'],
    [59n, '59 seconds'],
    [60n, 'About a minute'],
    [119n, 'About a minute'],
    [120n, '2 minutes'],
    [3599n, '59 minutes'],
    [3600n, 'About an hour'],
    [5400n, '2 hours'],
    [47n * 3600n, '47 hours'],
    [48n * 3600n, '2 days'],
    [14n * 86400n, '2 weeks'],
    [60n * 86400n, '2 months'],
    [730n * 86400n, '2 years'],
  ];
  for (const [seconds, words] of cases) assert.equal(humanDuration(seconds * second), words, `${seconds} s`);
});

test('states read as in Docker', () => {
  const now = 1000n * second;
  const base = { pid: 0, exitCode: 0, error: '', oomKilled: false, restartCount: 0, stoppedByUser: false };
  const state = (change: Partial<ContainerState>): ContainerState => ({
    status: 'running',
    startedAt: now - 300n * second,
    finishedAt: now - 4n * second,
    ...base,
    ...change,
  });
  assert.equal(statusText(state({}), now), 'Up 5 minutes');
  const health = { ...initialHealth, failingStreak: 0, log: [] };
  assert.equal(statusText(state({ health }), now), 'Up 5 minutes (health: starting)');
  assert.equal(statusText(state({ health: { ...health, status: 'healthy' } }), now), 'Up 5 minutes (healthy)');
  assert.equal(statusText(state({ status: 'paused' }), now), 'Up 5 minutes (Paused)');
  assert.equal(statusText(state({ status: 'exited', exitCode: 137 }), now), 'Exited (137) 4 seconds ago');
  assert.equal(statusText(state({ status: 'restarting', exitCode: 1 }), now), 'Restarting (1) 4 seconds ago');
  assert.equal(statusText(state({ status: 'created', startedAt: undefined }), now), 'Created');
  assert.equal(statusText(state({ status: 'removing' }), now), 'Removal In Progress');
});

test('the restart delay doubles up to a minute and is reset after ten seconds of running', () => {
  const run = {
    policy: { name: 'always', maximumRetryCount: 0 } as const,
    exitCode: 0,
    stoppedByUser: false,
    restartCount: 0,
    ranNanoseconds: second,
    lastDelay: 0,
  };
  assert.equal(restartDelay(run), 100);
  assert.equal(restartDelay({ ...run, lastDelay: 100 }), 200);
  assert.equal(restartDelay({ ...run, lastDelay: 51_200 }), 60_000);
  assert.equal(restartDelay({ ...run, lastDelay: 51_200, ranNanoseconds: 10n * second }), 100);
  assert.equal(restartDelay({ ...run, stoppedByUser: true }), undefined);
  const failing = { ...run, policy: { name: 'on-failure', maximumRetryCount: 2 } as const, exitCode: 1 };
  assert.equal(restartDelay({ ...failing, restartCount: 1 }), 100);
  assert.equal(restartDelay({ ...failing, restartCount: 2 }), undefined);
  assert.equal(restartDelay({ ...failing, exitCode: 0 }), undefined);
  assert.equal(restartsAtBoot({ ...run, stoppedByUser: true }), true);
  const unless = { ...run, policy: { name: 'unless-stopped', maximumRetryCount: 0 } as const };
  assert.deepEqual([restartsAtBoot(unless), restartsAtBoot({ ...unless, stoppedByUser: true })], [true, false]);
});

test('detach keys are found across chunks, and partial matches are passed on', () => {
  const watch = new DetachWatch(parseDetachKeys(undefined));
  assert.deepEqual(watch.push(Buffer.from('ab\x10')), { pass: Buffer.from('ab'), detached: false });
  assert.deepEqual(watch.push(Buffer.from('c\x10')), { pass: Buffer.from('\x10c'), detached: false });
  assert.deepEqual(watch.push(Buffer.from('\x10')), { pass: Buffer.from('\x10'), detached: false });
  assert.deepEqual(watch.push(Buffer.from('\x11rest')), { pass: Buffer.from(''), detached: true });
  assert.deepEqual(parseDetachKeys('ctrl-a,x,ctrl-['), [1, 120, 27]);
  for (const bad of ['ctrl-', 'ctrl-1', 'ab', 'a,,b'])
    assert.throws(
      () => parseDetachKeys(bad),
      (error) => isNetyardError(error, 'invalid') && error.message === `Invalid detach keys (${bad}) provided`,
    );
});

test('signals are parsed by name and by number', () => {
  for (const text of ['KILL', 'SIGKILL', 'kill', '9']) assert.equal(parseSignal(text), 9);
  assert.equal(parseSignal('RTMIN+3'), 37);
  assert.equal(parseSignal('SIGRTMAX-1'), 63);
  for (const bad of ['', 'FOO', '0', '65', 'RTMIN+40']) assert.throws(() => parseSignal(bad), /invalid signal/);
});

test('environments', () => {
  assert.deepEqual(mergeEnv(['A=1', 'B=2', 'C=3'], ['B=x=y', 'C', 'D=']), ['A=1', 'B=x=y', 'D=']);
});

test('random names are valid names', () => {
  for (let count = 0; count < 1000; count += 1) assert.match(randomName(count % 2), /^[a-z]+_[a-z]+\d?$/);
  assert.ok(isName(randomName()));
});

test('health: failures in the start period do not count, later ones do once the retries are used up', () => {
  const check = {
    test: ['CMD', 'x'],
    intervalNanoseconds: 0,
    timeoutNanoseconds: 0,
    startPeriodNanoseconds: 5e9,
    retries: 2,
  };
  const at = (seconds: bigint, exitCode: number) => ({
    start: seconds * second,
    end: seconds * second,
    exitCode,
    output: '',
  });
  const early = applyProbe(initialHealth, at(1n, 1), check, 0n);
  assert.deepEqual([early.status, early.failingStreak, early.log.length], ['starting', 0, 1]);
  const once = applyProbe(early, at(6n, 1), check, 0n);
  assert.deepEqual([once.status, once.failingStreak], ['starting', 1]);
  const twice = applyProbe(once, at(7n, 1), check, 0n);
  assert.equal(twice.status, 'unhealthy');
  assert.deepEqual(applyProbe(twice, at(8n, 0), check, 0n).status, 'healthy');
});

test("a health check's output is shortened at 4096 bytes, wherever its parts end", () => {
  const shown = (...sizes: number[]): string => {
    const output = new ProbeOutput();
    for (const size of sizes) output.add(Buffer.alloc(size, 'x'));
    return output.toString();
  };
  const limit = 'x'.repeat(4096);
  assert.equal(shown(4, 4092), limit);
  for (const sizes of [[4096, 1], [4, 4092, 5904], [4095, 2, 0], [10_000]])
    assert.equal(shown(...sizes), `${limit}...`, String(sizes));
});

test('health: the interval of the start period applies until its end or the first success', () => {
  const [test, timeoutNanoseconds, retries] = [['CMD', 'x'], 0, 0];
  const check = { test, timeoutNanoseconds, retries, intervalNanoseconds: 1e9, startPeriodNanoseconds: 60e9 };
  const own = { ...check, startIntervalNanoseconds: 10e9 };
  assert.equal(probeInterval(check, 'starting', 0n), 5e9, 'the default, although it is longer than the interval');
  assert.equal(probeInterval(own, 'starting', 59n * second), 10e9);
  assert.equal(probeInterval(own, 'starting', 60n * second), 1e9);
  assert.equal(probeInterval(own, 'healthy', 5n * second), 1e9);
  assert.equal(probeInterval({ ...check, startPeriodNanoseconds: 0 }, 'starting', 0n), 1e9);
  assert.equal(probeInterval({ ...check, intervalNanoseconds: 0 }, 'unhealthy', 0n), 30e9);
});

test('ps keeps the lines of the container’s processes and of their threads', async () => {
  const output = 'UID  PID  CMD\nroot  1  init\nroot  7  nginx:  master\tprocess\n-  -  -\nroot  8  other\n-  -  -\n';
  assert.deepEqual(await parsePs(output, new Set([7])), {
    titles: ['UID', 'PID', 'CMD'],
    processes: [
      ['root', '7', 'nginx: master process'],
      ['-', '-', '-'],
    ],
  });
  assert.deepEqual((await parsePs('PID CMD\n7\n', new Set([7]))).processes, [['7', '']]);
  await assert.rejects(parsePs('UID CMD\n', new Set()), /Couldn't find PID field/);
});

test('ps of many processes with long command lines lets others run', async () => {
  let isParsed = false;
  let turns = 0;
  const take = (): void => {
    turns += 1;
    if (!isParsed) setImmediate(take);
  };
  take();
  const output = `PID CMD\n${`7 ${'a '.repeat(60_000)}\n`.repeat(200)}`;
  const { processes } = await parsePs(output, new Set([7]));
  isParsed = true;
  assert.equal(processes.length, 200);
  assert.ok(turns > 2, `${turns} turns of the event loop`);
});

test('a CPU list is checked against the CPUs available', () => {
  assert.ok(coversNumbers('0-3', '0'));
  assert.ok(coversNumbers('0-3', '1-2,3'));
  assert.ok(coversNumbers('0-1,4', '4,0-1'));
  for (const requested of ['4', '0-4', '3-5', '2-1']) assert.ok(!coversNumbers('0-3', requested), requested);
  assert.ok(!coversNumbers('0-1,4', '1-4'));
});
