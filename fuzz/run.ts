/** One fuzz run against the daemon of a lab host: sends requests, deletes the objects at intervals, and counts. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { hostLayout } from '@netyard/lab';
import { apiSocket, call } from '../e2e/support/api.ts';
import type { TestHost } from '../e2e/support/host.ts';
import { archivePath } from '../e2e/support/images.ts';
import { allRoutes } from '../packages/docker-api/src/server.ts';
import { fakeOptions } from '../packages/docker-api/test/fake-engine.ts';
import { networkNames, volumeNames } from './bodies.ts';
import { exchange, type FuzzAnswer } from './client.ts';
import { type FailureGroup, Failures } from './failures.ts';
import type { MemoryInUse } from './measure-daemon.ts';
import {
  formatMemory,
  formatSample,
  JUDGED_REQUESTS,
  judgeMemory,
  type MemorySample,
  type MemoryVerdict,
  samplePoints,
} from './memory.ts';
import { Random } from './random.ts';
import { type FuzzRequest, makeRequest } from './requests.ts';

export interface FuzzOptions {
  requests: number;
  seed: number;
  /** Concurrent requests. */
  parallel: number;
  report: (line: string) => void;
}

export interface Usage {
  descriptors: number;
  rssMegabytes: number;
}

export interface FuzzSummary {
  requests: number;
  /** By class: 2xx …; `none` = no response, `left` = closed by the client. */
  answers: Record<string, number>;
  /** How often no process listened, or the daemon had another process id. */
  crashes: number;
  /** Responses that reveal internals of the daemon, and requests without a response. */
  unexpected: string[];
  /** All responses with status 500. */
  failures: FailureGroup[];
  /** Exceptions that the daemon logged as uncaught, and requests that failed because of a defect. */
  exceptions: string[];
  start: Usage;
  end: Usage;
  memory: MemoryVerdict;
}

/** Messages of JavaScript, Node or a schema library, and internal paths of the daemon. */
const internalDetails =
  /\/proc\/self\/fd\/|Unexpected (token|end|non-white)|is not a function|of undefined|is undefined|Cannot read|Invalid input|internal error: see/;

const CLEAN_EVERY = 1_000;
const KEPT_EXAMPLES = 20;
/** Permitted growth at the end of any run, including short ones: caches, uncollected heap. */
const GROWTH = { descriptors: 20, rssMegabytes: 150 };
/** Before the memory in use is measured: longer than threads without work wait until they collect their garbage. */
const REST_MS = 5_000;

export async function runFuzz(host: TestHost, options: FuzzOptions): Promise<FuzzSummary> {
  const { report } = options;
  const routes = allRoutes(fakeOptions({})).filter(({ path }) => path !== '/networks/');
  const random = new Random(options.seed);
  const pid = await daemonPid(host);
  // The first requests fill caches and compile code: growth is counted from after them.
  const summary = emptySummary(await usage(host, pid));
  const failures = new Failures();
  const samples: MemorySample[] = [];
  const points = samplePoints(options.requests);
  const warmUp = Math.min(20_000, Math.floor(options.requests / 4));
  while (summary.requests < options.requests && summary.crashes === 0) {
    const [point = options.requests] = points;
    const block = Math.min(CLEAN_EVERY, point - summary.requests);
    await sendBlock(host, block, options.parallel, () => makeRequest(routes, random), { summary, failures });
    await cleanUp(host);
    if (summary.requests >= warmUp && summary.requests - block < warmUp) summary.start = await usage(host, pid);
    const { rssMegabytes } = await usage(host, pid).catch(() => ({ rssMegabytes: 0 }));
    report(`${summary.requests} requests: ${formatAnswers(summary)}; ${rssMegabytes} MiB`);
    if (summary.requests < point || summary.crashes > 0) continue;
    points.shift();
    if (options.requests < JUDGED_REQUESTS) continue;
    samples.push({ requests: summary.requests, ...(await memoryAtRest(host, pid)) });
    report(samples.slice(-1).map(formatSample).join());
  }
  if ((await daemonPid(host).catch(() => '')) !== pid) summary.crashes += 1;
  else {
    summary.end = await settledUsage(host, pid, summary.start);
    summary.memory = judgeMemory(samples);
  }
  summary.failures = failures.groups();
  summary.exceptions = readExceptions(host);
  return summary;
}

const emptySummary = (start: Usage): FuzzSummary => ({
  requests: 0,
  answers: {},
  crashes: 0,
  unexpected: [],
  failures: [],
  exceptions: [],
  start,
  end: { descriptors: 0, rssMegabytes: 0 },
  memory: judgeMemory([]),
});

interface Notes {
  summary: FuzzSummary;
  failures: Failures;
}

async function sendBlock(
  host: TestHost,
  count: number,
  parallel: number,
  next: () => FuzzRequest,
  notes: Notes,
): Promise<void> {
  const { summary } = notes;
  const path = apiSocket(host);
  let left = count;
  const worker = async (): Promise<void> => {
    while (left > 0 && summary.crashes === 0) {
      left -= 1;
      const request = next();
      note(notes, request, await exchange(path, request));
    }
  };
  await Promise.all(Array.from({ length: parallel }, worker));
}

function note({ summary, failures }: Notes, request: FuzzRequest, answer: FuzzAnswer): void {
  summary.requests += 1;
  if (answer.refused) summary.crashes += 1;
  const kind = answer.status > 0 ? `${Math.floor(answer.status / 100)}xx` : answer.left ? 'left' : 'none';
  summary.answers[kind] = (summary.answers[kind] ?? 0) + 1;
  const example = describe(request, answer);
  if (answer.status === 500) failures.add(request, messageOf(answer), example);
  const problem = problemOf(answer);
  if (problem !== undefined && summary.unexpected.length < KEPT_EXAMPLES)
    summary.unexpected.push(`${problem}: ${example}`);
}

function describe(request: FuzzRequest, { status, text }: FuzzAnswer): string {
  const answered = `${status} ${JSON.stringify(text.trim().slice(0, 300))}`;
  return `${request.line.slice(0, 200)} → ${answered}, body ${JSON.stringify(request.body.slice(0, 600))}`;
}

const messageOf = ({ text }: FuzzAnswer): string => /"message":"((?:[^"\\]|\\.)*)"/.exec(text)?.[1] ?? '';

function problemOf(answer: FuzzAnswer): string | undefined {
  if (answer.late) return 'timed out';
  return answer.status >= 400 && internalDetails.test(messageOf(answer)) ? 'internal details' : undefined;
}

/** Deletes the objects that requests have created, so that there are few. */
async function cleanUp(host: TestHost): Promise<void> {
  const answer = await call(host, 'GET', '/containers/json?all=1').catch(() => undefined);
  if (answer?.status !== 200) return;
  const containers = JSON.parse(answer.body) as { Id: string }[];
  await Promise.all(containers.map(({ Id }) => call(host, 'DELETE', `/containers/${Id}?force=1&v=1`)));
  for (const name of networkNames.slice(0, 2)) await call(host, 'DELETE', `/networks/${name}`);
  for (const name of volumeNames) await call(host, 'DELETE', `/volumes/${name}`);
  await call(host, 'POST', '/networks/prune');
  await call(host, 'POST', '/volumes/prune?filters={"all":["1"]}');
  await call(host, 'DELETE', '/netyard/v1/peers/p');
  // Without the image every create request fails.
  const image = await call(host, 'GET', '/images/netyard-test/json');
  if (image.status !== 200) await host.docker('load', '-q', '-i', archivePath('netyard-test'));
}

async function daemonPid(host: TestHost): Promise<string> {
  return (await host.sh('cat /run/netyard/netyard.pid && kill -0 "$(cat /run/netyard/netyard.pid)"')).trim();
}

async function usage(host: TestHost, pid: string): Promise<Usage> {
  const text = await host.sh(`ls /proc/${pid}/fd | wc -l; awk '/^VmRSS/ { print $2 }' /proc/${pid}/status`);
  const [descriptors = 0, kilobytes = 0] = text.trim().split('\n').map(Number);
  return { descriptors, rssMegabytes: Math.round(kilobytes / 1024) };
}

/** Waits until connections and processes of the last requests have ended. */
async function settledUsage(host: TestHost, pid: string, start: Usage): Promise<Usage> {
  let now = await usage(host, pid);
  for (let tries = 0; tries < 20 && now.descriptors > start.descriptors; tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    now = await usage(host, pid);
  }
  return now;
}

async function memoryAtRest(host: TestHost, pid: string): Promise<MemoryInUse> {
  await new Promise((resolve) => setTimeout(resolve, REST_MS));
  const script = join(import.meta.dirname, 'measure-daemon.ts');
  return JSON.parse(await host.output(process.execPath, script, pid)) as MemoryInUse;
}

function readExceptions(host: TestHost): string[] {
  const log = readFileSync(hostLayout(host.lab, 'server1').daemonLog, 'utf8');
  return log.split('\n').filter((line) => /uncaught exception|unhandled rejection| error request failed /.test(line));
}

const formatAnswers = ({ answers }: FuzzSummary): string =>
  Object.entries(answers)
    .sort()
    .map(([kind, count]) => `${kind} ${count}`)
    .join(', ');

/** Descriptions of all faults; empty when the run passes. */
export function findFaults({ crashes, unexpected, failures, exceptions, start, end, memory }: FuzzSummary): string[] {
  const unaccepted = failures.filter(({ reason }) => reason === undefined);
  const failed = unaccepted.map(({ count, example }) => `status 500, ${count} times: ${example}`);
  const faults = [...unexpected, ...failed, ...exceptions];
  if (crashes > 0) faults.push('the daemon crashed');
  else {
    if (end.descriptors > start.descriptors + GROWTH.descriptors) faults.push('descriptors grew');
    const isTooMuch = end.rssMegabytes > start.rssMegabytes + GROWTH.rssMegabytes;
    if (isTooMuch || memory.verdict === 'grew') faults.push('memory grew');
  }
  return faults;
}

export function formatSummary(summary: FuzzSummary): string {
  const { requests, crashes, unexpected, failures, exceptions, start, end, memory } = summary;
  return [
    `requests            ${requests}`,
    `answers             ${formatAnswers(summary)}`,
    `crashes             ${crashes}`,
    `unexpected answers  ${unexpected.length}${unexpected.length === KEPT_EXAMPLES ? ' or more' : ''}`,
    `defects in the log  ${exceptions.length}`,
    `descriptors         ${start.descriptors} → ${end.descriptors}`,
    `memory              ${start.rssMegabytes} → ${end.rssMegabytes} MiB; ${formatMemory(memory)}`,
    `answers with 500    ${failures.reduce((sum, { count }) => sum + count, 0)}`,
    ...failures.map(
      ({ route, message, count, reason }) => `  ${count} ${route}: ${message}\n    ${reason ?? 'NOT ACCEPTED'}`,
    ),
  ].join('\n');
}
