/**
 * `nft monitor trace` for one probe in one namespace: an own table marks the probe's packets, the kernel then reports
 * each rule that matches them to NFNLGRP_NFTRACE.
 *
 * The table has the flag `owner`: it belongs to the netlink socket of the context that created it. Other programs can
 * neither delete nor flush it, and the kernel deletes it when the socket is closed, so also when this process is killed.
 */
import { randomBytes } from 'node:crypto';
import { NetyardError } from '@netyard/core';
import type { ObservedNftChain } from '../../contract.ts';
import type { NftFamily } from '../../desired.ts';
import type { RuleTrace, RuleTraceMessage, TraceMatch, TraceRequest } from '../../packet-trace.ts';
import { closeFile } from '../../system/calls.ts';
import { errnoOf, hasErrno, kernelError } from '../../system/ffi/errno.ts';
import { libc } from '../../system/ffi/libc.ts';
import { decodeMessages } from '../message.ts';
import { listChain, parseChains } from '../nft/chain.ts';
import { NftContext, nftOutput } from '../nft/context.ts';
import { NETLINK_NETFILTER, openNetlink, setIntegerOption } from '../socket.ts';
import { checkMatch, printTraceRules } from './match.ts';
import { HeldNamespace } from './namespace.ts';
import { type DecodedTrace, decodeTrace } from './rule-message.ts';
import { takeUpTo } from './take.ts';
import { TracedPackets } from './traced-packets.ts';

/** linux/netfilter/nfnetlink.h */
const NFNLGRP_NFTRACE = 9;
const MSG_DONTWAIT = 0x40;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
/** Some 5000 messages; a packet causes about ten per namespace. */
const receiveBuffer = 4 << 20;
const bufferLength = 65536;
/** For one read: more datagrams than the buffer holds. */
const mostReads = 16_384;
/** Every table of a trace has this prefix, and random digits: several traces can run in one namespace. */
export const traceTablePrefix = 'netyard_trace_';

/** See `PacketTracing.openRuleTrace`. */
export function openRuleTrace({ ns, match }: TraceRequest): RuleTrace {
  checkMatch(match);
  const namespace = new HeldNamespace(ns);
  const opened: { close(): void }[] = [namespace];
  try {
    const fd = openNetlink(NETLINK_NETFILTER, namespace.path, [NFNLGRP_NFTRACE]);
    opened.push({ close: () => closeFile(fd) });
    setIntegerOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, receiveBuffer);
    const table = `${traceTablePrefix}${randomBytes(6).toString('hex')}`;
    const tables = createTables(namespace.path, table, match);
    return new NftRuleTrace(namespace, fd, { match, packets: new TracedPackets(match, table), opened, tables });
  } catch (error) {
    for (const one of opened.reverse()) one.close();
    throw error;
  }
}

/**
 * Tables with this name, in front of chains that exist only: each hook costs all packets of the namespace time. They exist
 * until the returned context is closed.
 */
function createTables(ns: string, name: string, match: TraceMatch): NftContext {
  const context = NftContext.openHeld(ns);
  try {
    const chains = context.run('list chains', { operation: 'nft list chains', object: ns }, nftOutput.terse);
    const tables = printTraceTables(name, match, parseChains(chains));
    if (tables !== '') context.run(tables, { operation: 'nft add table', object: name });
    return context;
  } catch (error) {
    context.close();
    if (!hasErrno(error, 'EOPNOTSUPP', 'EINVAL')) throw error;
    throw new NetyardError('unavailable', 'this kernel or nft cannot trace packets', { cause: error });
  }
}

/**
 * Hooks behind these: where a packet that came in passes, and where one of a local socket does. The mark stays when the
 * packet goes on to a bridge (its hook output) or to netdev egress.
 */
const hooksBehind = {
  prerouting: ['prerouting', 'input', 'forward', 'postrouting', 'egress'],
  output: ['output', 'postrouting', 'egress'],
} as const;
type MarkHook = keyof typeof hooksBehind;

/** As nft(8) commands; empty where no chain of another program would be traced. Pure. */
export function printTraceTables(name: string, match: TraceMatch, chains: readonly ObservedNftChain[]): string {
  const foreign = chains.filter(({ table }) => !table.startsWith(traceTablePrefix));
  const needs = (families: readonly NftFamily[], hook: MarkHook): boolean =>
    foreign.some((one) => families.includes(one.family) && hooksBehind[hook].some((behind) => behind === one.hook));
  const families = ['inet', 'ip', 'ip6', 'bridge', 'netdev'] as const;
  const hooks = (['prerouting', 'output'] as const).filter((hook) => needs(families, hook));
  return (
    printTraceTable('inet', name, match, hooks) +
    printTraceTable('bridge', name, match, needs(['bridge'], 'prerouting') ? ['prerouting'] : [])
  );
}

/** Priority -350: behind defragmentation (-400), before connection tracking, raw tables (-300) and all filters. */
function printTraceTable(
  family: 'inet' | 'bridge',
  name: string,
  match: TraceMatch,
  hooks: readonly MarkHook[],
): string {
  if (hooks.length === 0) return '';
  const rules = printTraceRules(match, family).map((rule) => `    ${rule}\n`);
  const chains = hooks.map(
    (hook) => `  chain ${hook} {\n    type filter hook ${hook} priority -350; policy accept;\n${rules.join('')}  }\n`,
  );
  return `table ${family} ${name} {\n  flags owner\n${chains.join('')}}\n`;
}

interface RuleTraceParts {
  match: TraceMatch;
  packets: TracedPackets;
  opened: { close(): void }[];
  tables: NftContext;
}

class NftRuleTrace implements RuleTrace {
  readonly #namespace: HeldNamespace;
  readonly #fd: number;
  readonly #packets: TracedPackets;
  readonly #vxlanPorts: readonly number[] | undefined;
  readonly #opened: { close(): void }[];
  /** Owns the tables. */
  #tables: NftContext | undefined;
  readonly #buffer = new Uint8Array(bufferLength);
  /** Chains as listed at the first message that names them. */
  readonly #chains = new Map<string, ObservedNftChain | undefined>();
  #rules: NftContext | undefined;
  incomplete = false;

  constructor(namespace: HeldNamespace, fd: number, { match, packets, opened, tables }: RuleTraceParts) {
    this.#namespace = namespace;
    this.#fd = fd;
    this.#packets = packets;
    this.#vxlanPorts = match.vxlanPorts;
    this.#opened = opened;
    this.#tables = tables;
  }

  read(): RuleTraceMessage[] {
    if (this.#opened.length === 0) return [];
    return takeUpTo(mostReads, () => this.#next()).flat();
  }

  /** The messages of one datagram. */
  #next(): RuleTraceMessage[] | undefined {
    for (;;) {
      const length = libc().recv(this.#fd, this.#buffer, bufferLength, MSG_DONTWAIT);
      if (length >= 0) {
        return decodeMessages(this.#buffer.subarray(0, length)).flatMap((message) => {
          const step = decodeTrace(message, this.#vxlanPorts);
          return step && this.#packets.admit(step) ? [this.#describe(step)] : [];
        });
      }
      const errno = libc().errno();
      if (errno === errnoOf('EAGAIN')) return undefined;
      if (errno === errnoOf('ENOBUFS')) this.incomplete = true;
      else if (errno !== errnoOf('EINTR')) throw kernelError(errno, 'nft monitor trace', this.#namespace.path);
    }
  }

  disarm(): void {
    this.#tables?.close();
    this.#tables = undefined;
  }

  close(): void {
    this.disarm();
    this.#rules?.close();
    this.#rules = undefined;
    for (const one of this.#opened.splice(0).reverse()) one.close();
  }

  #describe({ handle, iifIndex, oifIndex, ...step }: DecodedTrace): RuleTraceMessage {
    const own = step.table.startsWith(traceTablePrefix);
    const chain = own ? undefined : this.#chain(step, handle);
    const hook = own ? step.chain : chain?.hook;
    return {
      ...{ ...step, own },
      ...(hook === undefined ? {} : { hook }),
      ...(handle === undefined ? {} : { rule: describeRule(chain, handle) }),
      ...(iifIndex === undefined ? {} : { iif: this.#namespace.linkName(iifIndex) }),
      ...(oifIndex === undefined ? {} : { oif: this.#namespace.linkName(oifIndex) }),
    };
  }

  /** Listed again when it lacks the rule: the chain may have been changed since. */
  #chain({ family, table, chain }: DecodedTrace, handle: number | undefined): ObservedNftChain | undefined {
    const key = `${family} ${table} ${chain}`;
    const known = this.#chains.get(key);
    const isComplete = handle === undefined || known?.rules.some((rule) => rule.handle === handle);
    if (this.#chains.has(key) && isComplete) return known;
    this.#rules ??= NftContext.open(this.#namespace.path);
    const listed = listChain(this.#rules, { family, table, chain });
    this.#chains.set(key, listed);
    return listed;
  }
}

function describeRule(chain: ObservedNftChain | undefined, handle: number): NonNullable<RuleTraceMessage['rule']> {
  const rule = chain?.rules.find((one) => one.handle === handle);
  if (rule === undefined) return { handle };
  return { handle, text: rule.text, ...(rule.comment === undefined ? {} : { comment: rule.comment }) };
}
