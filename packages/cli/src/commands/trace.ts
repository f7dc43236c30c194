/** `trace`: follows one packet from a container to a target, and says in one sentence where it stopped. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { TraceReport, TraceRequest, TraceTools } from '@netyard/trace';
import { describeError, Failure } from '../failure.ts';
import type { Context } from '../program/context.ts';
import type { CommandInput, CommandSpec } from '../program/spec.ts';
import { parseDuration } from '../program/values.ts';
import { formatTrace } from '../trace/format.ts';
import { peerTools } from '../trace/peers.ts';
import { parseTraceTarget } from '../trace/target.ts';

const exitCodes: Readonly<Record<TraceReport['conclusion']['outcome'], number>> = {
  ...{ reached: 0, 'not-reached': 1, unknown: 2 },
};

/** Between two probes of `--watch`. */
const watchPauseMs = 1000;

export const trace: CommandSpec = {
  usage: '[OPTIONS] FROM TO[:PORT[/PROTO]]',
  args: [2, 2],
  flags: [
    { name: 'ipv4', short: '4', type: 'bool', help: 'Send the probe over IPv4' },
    { name: 'ipv6', short: '6', type: 'bool', help: 'Send the probe over IPv6' },
    {
      name: 'dry-run',
      type: 'bool',
      help: 'Predict the path without sending anything; firewall rules are not evaluated',
    },
    {
      name: 'full',
      type: 'bool',
      help: 'Trace rules of reached targets, too: other traffic is slower until the trace ends',
    },
    { name: 'json', type: 'bool', help: 'Print the report as JSON' },
    {
      name: 'live',
      type: 'bool',
      help: 'Send nothing: follow the next connection, datagram or ping that another program sends',
    },
    {
      name: 'size',
      type: 'int',
      help: 'Bytes of data of an echo request or datagram, sent without fragmentation',
      check: checkSize,
    },
    { name: 'timeout', type: 'string', help: 'End of --live without a packet, such as 30s', check: checkTimeout },
    { name: 'watch', type: 'bool', help: 'Repeat until the target is reached' },
  ],
  description:
    'FROM is a container of any engine (NAME, or ENGINE/NAME: netyard, docker, podman, containerd), a network namespace or\n' +
    'host. TO is the same, a container of a peer (PEER/NAME), an address, or a name that FROM resolves. With a port, a TCP\n' +
    'connection is opened (/udp: a datagram is sent), otherwise an ICMP echo request. The application sees a connection\n' +
    'without data. Either end can be outside: beyond the uplink of this host. Packets from there are predicted only,\n' +
    'or waited for with --live, which sends nothing and ends with the first packet, at --timeout or with Ctrl-C.\n' +
    'Prints each hop, each rule that decided, and one sentence. Needs root, and no daemon. Rules are traced when the target\n' +
    'does not answer at once, by a second probe; with --full and --live always. Other traffic is slower meanwhile.\n' +
    'Exit code: 0 reached, 1 not reached, 2 unknown, 125 no trace could be made.',
  examples: [
    'netyard trace web db:5432',
    'netyard trace web 192.0.2.10:53/udp',
    'netyard trace host web:80',
    'netyard trace docker/app host',
    'netyard trace web outside',
    'netyard trace outside web:80',
    'netyard trace --watch web db:5432',
    'netyard trace --full web db:5432',
    'netyard trace --live web db:5432',
    'netyard trace --live --timeout 30s outside web:80',
  ],
  complete: 'targets',
  run: async (context, input) => {
    const request = requestOf(input);
    const { flags } = input;
    const run = flags.bool('live') ? await openLive(context, input) : await openTrace(context, flags);
    for (;;) {
      const report = await run(request).catch(refuse);
      print(context, report, flags.bool('json'));
      if (!flags.bool('watch') || report.conclusion.outcome === 'reached') return exitCodes[report.conclusion.outcome];
      await sleep(watchPauseMs);
    }
  },
};

/** No trace was made: distinguishes errors from the results 0, 1 and 2. As docker's own errors. */
const refusedExitCode = 125;

function refuse(error: unknown): never {
  throw new Failure(describeError(error), refusedExitCode);
}

function requestOf({ args: [from = '', to = ''], flags }: CommandInput): TraceRequest {
  if (process.getuid?.() !== 0) refuse('netyard trace needs root: it looks into the namespaces of containers');
  if (flags.bool('ipv4') && flags.bool('ipv6')) refuse('--ipv4 and --ipv6 exclude each other');
  const { name, ...target } = readTarget(to);
  const family: 4 | 6 | undefined = flags.bool('ipv4') ? 4 : flags.bool('ipv6') ? 6 : undefined;
  checkLive(flags);
  const size = flags.has('size') ? { size: flags.number('size') } : {};
  if (flags.has('size') && target.protocol === 'tcp') {
    refuse('--size is for icmp and udp: a TCP connection is opened without data');
  }
  return { from, to: name, ...target, ...size, ...(family === undefined ? {} : { family }) };
}

function checkLive(flags: CommandInput['flags']): void {
  if (flags.bool('full') && flags.bool('dry-run')) refuse('--full and --dry-run exclude each other');
  if (flags.has('timeout') && !flags.bool('live')) refuse('--timeout is for --live');
  const other = ['dry-run', 'full', 'size', 'watch'].find((name) => flags.has(name));
  if (flags.bool('live') && other !== undefined) refuse(`--live and --${other} exclude each other`);
}

function checkTimeout(text: string): void {
  if (parseDuration(text) <= 0) throw new Error('it must be longer than 0');
}

/** The largest datagram (RFC 791). */
const maxSize = 65_507;

function checkSize(text: string): void {
  if (!/^\d{1,5}$/.test(text) || Number(text) > maxSize) throw new Error(`it must be a number from 0 to ${maxSize}`);
}

function readTarget(text: string): ReturnType<typeof parseTraceTarget> {
  try {
    return parseTraceTarget(text);
  } catch (error) {
    return refuse(error);
  }
}

type RunTrace = (request: TraceRequest) => Promise<TraceReport>;

async function openTrace(context: Context, flags: CommandInput['flags']): Promise<RunTrace> {
  const { askFlow, trace: run } = await import('@netyard/trace');
  const tools = { ...(await openTools(context)), peers: peerTools(context, askFlow) };
  const options = { dryRun: flags.bool('dry-run'), full: flags.bool('full') };
  return async (request) => await run(tools, request, options);
}

async function openLive(context: Context, { args, flags }: CommandInput): Promise<RunTrace> {
  const { traceLive } = await import('@netyard/trace');
  const tools = await openTools(context);
  const timeout = flags.has('timeout') ? { timeoutMs: parseDuration(flags.text('timeout')) / 1e6 } : {};
  const onReady = (): void => context.warn(`Waiting for a packet from ${args.join(' to ')}; Ctrl-C ends.`);
  return async (request) => await traceLive(tools, request, { ...timeout, onReady });
}

async function openTools({ env }: Context): Promise<TraceTools> {
  const { packetTracing } = await import('@netyard/kernel');
  const { observeHost } = await import('@netyard/topology');
  const { openTraceTools } = await import('@netyard/trace');
  return { ...openTraceTools(packetTracing()), observe: () => observeHost({ env, socketProcesses: true }) };
}

function print(context: Context, report: TraceReport, json: boolean): void {
  if (json) context.print(JSON.stringify(report));
  else for (const line of formatTrace(report)) context.print(line);
}
