/**
 * Causes that only the kernel's drop reason names (enum skb_drop_reason, linux/dropreason-core.h): full socket buffers, wrong
 * checksums, rules that nft does not trace. Pure.
 */
import { commandLine } from '../command-line.ts';
import type { Conclusion, KernelDrop } from '../model.ts';
import { type CauseFinder, commandIn, notReached, placeName, portText, type TraceCase } from './case.ts';

interface DropText {
  cause: string;
  /** Behind `Dropped at web, eth0: `. */
  text: string;
  fix: string;
}

/** By reasons, for the namespace and the link where the packet was seen last. */
const known: readonly { reasons: RegExp; describe(trace: TraceCase, drop: KernelDrop): DropText }[] = [
  {
    reasons: /^(SOCKET_RCVBUFF|SOCKET_BACKLOG|PROTO_MEM)$/,
    describe: (trace, drop) => {
      const program = readerOf(trace, drop);
      return {
        cause: 'receive-buffer-full',
        text: `the receive buffer of ${program} is full, because it reads more slowly than packets arrive`,
        fix: `find out why ${program} is busy or stopped`,
      };
    },
  },
  {
    reasons: /^(IP|TCP|UDP|ICMP)_CSUM$|^SKB_CSUM$/,
    describe: (trace, { reason, isAnswer }) => {
      const sender = isAnswer ? trace.to : trace.from;
      const link = sender.namespace?.links.find(({ name }) => name !== 'lo')?.name ?? 'LINK';
      const command = commandLine`ethtool -K ${link} tx off`;
      return {
        cause: 'wrong-checksum',
        text: `its ${/^\w+?(?=_)/.exec(reason)?.[0] ?? 'IP'} checksum is wrong: something on the way changes packets`,
        fix: `look for rules that write into packets; or, for a device that computes checksums wrongly: ${sender.namespace === undefined ? command : commandIn(trace, sender.namespace.id, command)}`,
      };
    },
  },
  {
    reasons: /^NETFILTER_DROP$/,
    describe: (trace, drop) => ({
      cause: 'dropped-by-netfilter',
      ...((trace.evidence?.incomplete.length ?? 0) > 0
        ? {
            text: 'netfilter dropped it, by a rule whose verdict was not seen',
            fix: inPlace(trace, drop, 'nft list ruleset'),
          }
        : {
            text: 'netfilter dropped it, by a rule that nft does not trace',
            fix: `${inPlace(trace, drop, 'nft list ruleset netdev')}; ${inPlace(trace, drop, 'iptables-legacy -S')}`,
          }),
    }),
  },
  {
    reasons: /^IP_RPFILTER$/,
    describe: (trace, drop) => ({
      cause: 'rp-filter',
      text: 'rp_filter refuses its source address on this interface',
      fix: inPlace(trace, drop, commandLine`sysctl -w net.ipv4.conf.${drop.link ?? 'LINK'}.rp_filter=2`),
    }),
  },
  {
    reasons: /^(IP_LOCAL_SOURCE|IP_INVALID_SOURCE)$/,
    describe: (_, { packet }) => ({
      cause: 'invalid-source',
      text: `its source address ${packet.source} is one of this host, or none that a host can have`,
      fix: `give one of them another address`,
    }),
  },
  {
    reasons: /^(SOCKET_FILTER|BPF_CGROUP_\w+|TC_\w+|QDISC_DROP|XDP)$/,
    describe: (trace, drop) => ({
      cause: 'dropped-by-filter',
      text: `a filter of ${/^(TC|QDISC)/.test(drop.reason) ? 'tc' : 'BPF'} dropped it`,
      fix: inPlace(trace, drop, commandLine`tc -s filter show dev ${drop.link ?? 'LINK'} ingress`),
    }),
  },
];

/** What ends well, or what other causes explain better: nothing listens, connections that end, clones for captures. */
const harmless =
  /^(NO_SOCKET|TCP_(CLOSE|RESET|FLAGS|OLD_\w+|INVALID_\w+|ZEROWINDOW|OVERWINDOW|ABORT_\w+|FASTOPEN)|OTHERHOST|NOT_DROPPED_YET|CONSUMED)$/;

/** The probe was dropped, or else its answer. */
export const droppedByKernel: CauseFinder = (trace) => {
  const { evidence } = trace;
  if (evidence === undefined || evidence.probe.outcome === 'answered') return undefined;
  const drops = evidence.drops.filter(({ reason }) => !harmless.test(reason));
  const drop = drops.find(({ isAnswer }) => !isAnswer) ?? drops.at(0);
  return drop && (explainKnown(trace, drop) ?? describeOther(trace, drop));
};

function explainKnown(trace: TraceCase, drop: KernelDrop): Conclusion | undefined {
  const found = known.find(({ reasons }) => reasons.test(drop.reason));
  if (found === undefined) return undefined;
  const { cause, text, fix } = found.describe(trace, drop);
  return notReached(cause, `${introduction(trace, drop)}: ${text} (${drop.reason}).`, { fix });
}

/** The kernel's own words: better than nothing for a reason without a sentence of its own. */
function describeOther(trace: TraceCase, drop: KernelDrop): Conclusion | undefined {
  const { reason, location } = drop;
  if (reason === 'NOT_SPECIFIED' && location === undefined) return undefined;
  const words =
    reason === 'NOT_SPECIFIED' ? `in ${location}` : `${reason}${location === undefined ? '' : ` in ${location}`}`;
  return notReached('dropped-by-kernel', `${introduction(trace, drop)}: the kernel's reason is ${words}.`, {
    grade: 'observed',
    fix: 'look for the reason in linux/dropreason-core.h',
  });
}

/** `Dropped at web, eth0`; `The answer was dropped at app, eth0`. */
function introduction(trace: TraceCase, { namespaceId, link, isAnswer }: KernelDrop): string {
  const place = placeName(trace, namespaceId);
  const where = link === undefined ? place : `${place}, ${link}`;
  return isAnswer ? `The answer was dropped at ${where}` : `Dropped at ${where}`;
}

const inPlace = (trace: TraceCase, { namespaceId }: KernelDrop, command: string): string =>
  commandIn(trace, namespaceId, command);

/** `nginx in web`, or what waits for the answer. */
function readerOf(trace: TraceCase, { namespaceId, isAnswer, packet }: KernelDrop): string {
  const { end } = trace.path;
  const program = !isAnswer && end.kind === 'delivered' ? end.socket?.process?.name : undefined;
  return `${program ?? `the socket of ${portText(packet)}`} in ${placeName(trace, namespaceId)}`;
}
