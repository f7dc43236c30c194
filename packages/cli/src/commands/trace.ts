/** `trace`: follows one packet from a container to a target, and says in one sentence where it stopped. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { TraceReport, TraceRequest } from '@netyard/trace';
import { describeError, Failure } from '../failure.ts';
import type { Context } from '../program/context.ts';
import type { CommandInput, CommandSpec } from '../program/spec.ts';
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
    { name: 'json', type: 'bool', help: 'Print the report as JSON' },
    {
      name: 'size',
      type: 'int',
      help: 'Bytes of data of an echo request or datagram, sent without fragmentation',
      check: checkSize,
    },
    { name: 'watch', type: 'bool', help: 'Repeat until the target is reached' },
  ],
  description:
    'FROM is a container of any engine (NAME, or ENGINE/NAME: netyard, docker, podman, containerd), a network namespace or\n' +
    'host. TO is the same, a container of a peer (PEER/NAME), an address, or a name that FROM resolves. With a port, a TCP\n' +
    'connection is opened (/udp: a datagram is sent), otherwise an ICMP echo request. The application sees a connection\n' +
    'without data. Either end can be outside: beyond the uplink of this host. Packets from there are predicted only.\n' +
    'Prints each hop, each rule that decided, and one sentence. Needs root, and no daemon.\n' +
    'Exit code: 0 reached, 1 not reached, 2 unknown, 125 no trace could be made.',
  examples: [
    'netyard trace web db:5432',
    'netyard trace web 192.0.2.10:53/udp',
    'netyard trace host web:80',
    'netyard trace docker/app host',
    'netyard trace web outside',
    'netyard trace outside web:80',
    'netyard trace --watch web db:5432',
  ],
  complete: 'targets',
  run: async (context, input) => {
    const request = requestOf(input);
    const run = await openTrace(context);
    const { flags } = input;
    for (;;) {
      const report = await run(request, { dryRun: flags.bool('dry-run') }).catch(refuse);
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
  const size = flags.has('size') ? { size: flags.number('size') } : {};
  if (flags.has('size') && target.protocol === 'tcp') {
    refuse('--size is for icmp and udp: a TCP connection is opened without data');
  }
  return { from, to: name, ...target, ...size, ...(family === undefined ? {} : { family }) };
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

type RunTrace = (request: TraceRequest, options: { dryRun: boolean }) => Promise<TraceReport>;

async function openTrace(context: Context): Promise<RunTrace> {
  const { packetTracing } = await import('@netyard/kernel');
  const { observeHost } = await import('@netyard/topology');
  const { askFlow, openTraceTools, trace: run } = await import('@netyard/trace');
  const observe = (): ReturnType<typeof observeHost> => observeHost({ env: context.env, socketProcesses: true });
  const tools = { ...openTraceTools(packetTracing()), observe, peers: peerTools(context, askFlow) };
  return async (request, options) => await run(tools, request, options);
}

function print(context: Context, report: TraceReport, json: boolean): void {
  if (json) context.print(JSON.stringify(report));
  else for (const line of formatTrace(report)) context.print(line);
}
