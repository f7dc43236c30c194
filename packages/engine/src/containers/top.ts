/** `docker top`: runs the host's ps and keeps the lines of the container's processes. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { messageOf, NetyardError, TimeSlice } from '@netyard/core';
import { publishContainer } from '../events/container-events.ts';
import type { EventLog } from '../events/event-log.ts';
import type { Runtime } from '../ports.ts';
import { type ContainerIndex, hasEnded, hasProcess, isRestarting, notRunning } from '../records/container-index.ts';

/** What the functions of this file work on. */
export interface TopDependencies {
  readonly runtime: Runtime;
  readonly index: ContainerIndex;
  readonly events: EventLog;
}

const run = promisify(execFile);

export interface ProcessTable {
  titles: string[];
  processes: string[][];
}

export async function topContainer(context: TopDependencies, ref: string, psArguments: string): Promise<ProcessTable> {
  const options = psArguments === '' ? '-ef' : psArguments;
  checkPsArguments(options);
  const record = context.index.get(ref);
  if (record.state.status === 'restarting') throw isRestarting(record);
  if (!hasProcess(record)) throw notRunning(record);
  const pids = await context.runtime.pids(record.id).catch((error: unknown) => {
    throw hasEnded(error) ? notRunning(record) : error;
  });
  const table = await parsePs(await ps(options.split(' '), pids), new Set(pids));
  publishContainer(context.events, record, 'top');
  return table;
}

/** Some options, such as f, conflict with -q: retried without it. */
async function ps(options: readonly string[], pids: readonly number[]): Promise<string> {
  const execute = async (args: readonly string[]): Promise<string> =>
    (await run('ps', [...args], { maxBuffer: 64 * 1024 * 1024 })).stdout;
  try {
    return await execute([...options, `-q${pids.join(',')}`]);
  } catch {
    try {
      return await execute(options);
    } catch (cause) {
      const { stderr = '' } = cause as { stderr?: string };
      throw new NetyardError('failed', `ps: ${stderr.split('\n')[0] || messageOf(cause)}`, { cause });
    }
  }
}

/** `-o pid=X` would rename the column that is needed. */
function checkPsArguments(text: string): void {
  for (const [, title, value] of text.matchAll(/\s+(?:-o|o|--format)?\s*([a-z]*)=\s*(\S*)/gi))
    if (title !== undefined && value === 'PID' && title !== 'pid')
      throw new NetyardError('invalid', `specifying "${title}=${value}" is not allowed`);
}

/** Keeps the lines of the given processes and of their threads (`-` in the PID column). They may be long and many. */
export async function parsePs(output: string, pids: ReadonlySet<number>): Promise<ProcessTable> {
  const [head = '', ...lines] = output.split('\n');
  const titles = head.trim().split(/\s+/);
  const column = titles.indexOf('PID');
  if (column < 0) throw new NetyardError('failed', "Couldn't find PID field in ps output");
  const processes: string[][] = [];
  const slice = new TimeSlice();
  let threads = false;
  for (const line of lines) {
    if (slice.isOver) await slice.next();
    const text = line.trim();
    if (text === '') continue;
    const fields = splitFields(text, titles.length);
    const pid = fields[column] ?? '';
    if (pid !== '-') threads = pids.has(Number(pid));
    if (threads) processes.push(fields);
  }
  return { titles, processes };
}

/** The last field is the rest of the line, a command with its arguments, with single spaces. */
function splitFields(text: string, count: number): string[] {
  const fields: string[] = [];
  const separator = /\s+/g;
  let start = 0;
  while (fields.length < count - 1) {
    const found = separator.exec(text);
    if (!found) return [...fields, text.slice(start), ''];
    fields.push(text.slice(start, found.index));
    start = separator.lastIndex;
  }
  return [...fields, text.slice(start).replace(/\s{2,}|[^\S ]/g, ' ')];
}
