/**
 * Entries of changes that other programs make to this host's network, with the program as far as the kernel names it, and
 * which of them explains a repair. Changes of Netyard and consequences of others are left out. Reads no clock.
 */
import { formatPrefix, networkOf, parsePrefix } from '@netyard/core';
import type { ChangeAuthor, KernelObject, NetworkChange } from '@netyard/kernel';
import type { JournalEntry } from './entry.ts';

type Entry = Omit<JournalEntry, 'time'>;
type Author = Exclude<ChangeAuthor, string>;
type LinkChange = Extract<NetworkChange, { type: 'link' }>;
type NftChange = Extract<NetworkChange, { type: 'nft' }>;
type Link = Pick<LinkChange, 'name' | 'up' | 'mtu' | 'masterIndex'>;

/** An entry, and the key by which it is counted when it is repeated: without the process. */
export interface ForeignEntry {
  entry: Entry;
  key: string;
  /** Of a change of an interface, for which the kernel names no process: it may be Netyard's own. */
  link?: string;
}

interface Remembered {
  time: bigint;
  /** `deleted by ip (process 812: ip route del 10.0.0.0/8)`. */
  text: string;
}

/** How long after a change a repair is explained by it. */
const explainedSeconds = 60n;
const maximumRemembered = 200;
/** linux/rtnetlink.h RT_TABLE_LOCAL: follows addresses. */
const localTable = 255;

export class ForeignChanges {
  readonly #links = new Map<number, Link>();
  /** What is part of the transaction that `nft-commit` ends: `deleted rule of ip netyard`, and how often. */
  readonly #parts = new Map<string, { change: NftChange; count: number }>();
  /** The last change of each object, oldest first. */
  readonly #changes = new Map<string, Remembered>();

  /** Links that exist already. */
  learn(links: readonly (Link & { index: number })[]): void {
    for (const { index, ...link } of links) this.#links.set(index, link);
  }

  take(change: NetworkChange, now: bigint): ForeignEntry | undefined {
    switch (change.type) {
      case 'nft':
        this.#addPart(change);
        return undefined;
      case 'nft-commit':
        return this.#takeParts(change.author, now);
      case 'link':
        return this.#takeLink(change);
      case 'address': {
        const link = this.#nameOf(change.linkIndex);
        const what = `address ${change.prefix} on ${link}`;
        return this.#note(change, [`address ${link} ${change.prefix}`], { what, names: [link, change.prefix] }, now);
      }
      case 'route':
        return this.#takeRoute(change, now);
      case 'rule':
        return this.#note(change, [], { what: `an IPv${change.family} routing rule`, names: [] }, now);
      default:
        return undefined;
    }
  }

  /** `; deleted by ip (process 812)` if another program changed the object a moment ago, else empty. */
  explain(object: KernelObject, now: bigint): string {
    const found = keysOf(object).flatMap((key) => this.#changes.get(key) ?? []);
    const recent = found.filter(({ time }) => now - time < explainedSeconds * 1_000_000_000n);
    const last = recent.toSorted((a, b) => Number(b.time - a.time))[0];
    return last === undefined ? '' : `; ${last.text}`;
  }

  /** The kernel names no process. */
  #takeLink(change: LinkChange): ForeignEntry | undefined {
    const { index, name, up, mtu, masterIndex } = change;
    const before = this.#links.get(index);
    if (change.action === 'del') this.#links.delete(index);
    else this.#links.set(index, { name, up, mtu, ...(masterIndex === undefined ? {} : { masterIndex }) });
    if (before === undefined || change.action === 'del')
      return { ...linkEntry(name, change.action === 'del' ? 'deleted' : 'added'), link: name };
    const master = (one: Link): string => (one.masterIndex === undefined ? 'none' : this.#nameOf(one.masterIndex));
    const differences = [
      ...(before.name === name ? [] : [`renamed from ${before.name}`]),
      ...(before.up === up ? [] : [up ? 'set up' : 'set down']),
      ...(before.mtu === mtu ? [] : [`MTU changed from ${before.mtu} to ${mtu}`]),
      ...(before.masterIndex === masterIndex ? [] : [`bridge changed from ${master(before)} to ${master(change)}`]),
    ];
    if (differences.length === 0) return undefined; // statistics, addresses, carrier
    return { ...linkEntry(name, differences.join(', ')), link: name };
  }

  #takeRoute(change: Extract<NetworkChange, { type: 'route' }>, now: bigint): ForeignEntry | undefined {
    const { to, via, linkIndex, table, kind } = change;
    if (table === localTable || kind === 'multicast' || kind === 'broadcast') return undefined;
    const link = linkIndex === undefined ? undefined : this.#nameOf(linkIndex);
    const parts = [
      ...['route', kind === 'unicast' ? '' : kind, to === 'default' && change.family === 6 ? 'default (IPv6)' : to],
      ...(via === undefined ? [] : ['via', via]),
      ...(link === undefined ? [] : ['dev', link]),
      ...(table === 254 ? [] : ['table', String(table)]),
    ];
    const place = {
      what: parts.filter((part) => part !== '').join(' '),
      names: [to, ...(link === undefined ? [] : [link])],
    };
    return this.#note(change, [`route ${to}`, ...(link === undefined ? [] : [`subnet ${link} ${to}`])], place, now);
  }

  #addPart(change: NftChange): void {
    const key = `${change.action} ${change.what} ${change.family ?? ''} ${change.table}`;
    const part = this.#parts.get(key);
    if (part) part.count += 1;
    else if (this.#parts.size < maximumRemembered) this.#parts.set(key, { change, count: 1 });
  }

  /** `2 rules and 1 chain of ip filter added; 1 rule of ip nat deleted`. */
  #takeParts(author: ChangeAuthor, now: bigint): ForeignEntry | undefined {
    const parts = [...this.#parts.values()];
    this.#parts.clear();
    if (author === 'self' || author === 'kernel' || parts.length === 0) return undefined;
    const groups = Map.groupBy(parts, ({ change }) => `${change.action} ${tableOf(change)}`);
    const texts = [...groups.values()].map((group) => {
      const counts = group.map(({ change, count }) => `${count} ${change.what}${count === 1 ? '' : 's'}`);
      const [first] = group;
      const table = first === undefined ? '' : tableOf(first.change);
      return `${counts.join(', ')} of ${table} ${first?.change.action === 'del' ? 'deleted' : 'added'}`;
    });
    const tables = [...new Set(parts.map(({ change }) => tableOf(change)))];
    const names = [...new Set(parts.map(({ change }) => change.table))];
    const place = { what: 'firewall', names: [...names, ...tables], done: texts.join('; ') };
    return this.#note(
      { action: 'new', author },
      tables.map((table) => `table ${table}`),
      place,
      now,
    );
  }

  #note(
    { action, author }: { action: 'new' | 'del'; author: ChangeAuthor },
    keys: readonly string[],
    { what, names, done }: { what: string; names: readonly string[]; done?: string },
    now: bigint,
  ): ForeignEntry | undefined {
    if (author === 'self' || author === 'kernel') return undefined;
    const how = done ?? (action === 'del' ? 'deleted' : 'added');
    const text = `${how} by ${describeAuthor(author)}`;
    for (const key of keys) this.#remember(key, { time: now, text });
    const program = author.program ?? '';
    return {
      entry: { kind: 'foreign', object: 'host', text: `${what} ${text}`, commands: [], names: [...names, program] },
      key: `foreign ${what} ${how} ${program}`,
    };
  }

  #remember(key: string, change: Remembered): void {
    this.#changes.delete(key);
    this.#changes.set(key, change);
    const [oldest] = this.#changes.keys();
    if (this.#changes.size > maximumRemembered && oldest !== undefined) this.#changes.delete(oldest);
  }

  #nameOf(linkIndex: number): string {
    return this.#links.get(linkIndex)?.name ?? `if${linkIndex}`;
  }
}

function linkEntry(name: string, done: string): ForeignEntry {
  const text = `interface ${name} ${done}`;
  return { entry: { kind: 'foreign', object: 'host', text, commands: [], names: [name] }, key: `foreign ${text}` };
}

const tableOf = ({ family, table }: NftChange): string => (family === undefined ? table : `${family} ${table}`);

/** `ip (process 812: ip route del 10.0.0.0/8)`, `process 812, which has ended`, `a program that the kernel does not name`. */
export function describeAuthor({ pid, program, command }: Author): string {
  if (pid === undefined) return program ?? 'a program that the kernel does not name';
  if (program === undefined) return `process ${pid}, which has ended`;
  return `${program} (process ${pid}${command === undefined ? '' : `: ${command}`})`;
}

const subnetOf = (prefix: string): string => formatPrefix(networkOf(parsePrefix(prefix)));

/** The keys under which changes of the object are remembered. */
function keysOf(object: KernelObject): string[] {
  if ('ns' in object && object.ns !== undefined) return []; // only this host's network is watched
  switch (object.kind) {
    case 'address':
      return [`address ${object.link} ${object.prefix}`, `subnet ${object.link} ${subnetOf(object.prefix)}`];
    case 'route':
      return [`route ${object.to}`];
    case 'nft-table':
      return [`table ${object.family} ${object.name}`];
    case 'nft-element':
    case 'nft-rule':
      return [`table ${object.family} ${object.table}`];
    default:
      return [];
  }
}
