/** Reads counters of one namespace that show why packets were dropped: see nstat(8), proc_net(5). */
import { readFileSync } from 'node:fs';
import type { CounterChanges, LinkDrops, NamespaceCounters } from '../../packet-trace.ts';
import { hasErrno } from '../../system/ffi/errno.ts';
import { openInNetns } from '../../system/netns.ts';

/** See `PacketTracing.readCounters`. */
export function readCounters(ns?: string): NamespaceCounters {
  // These files show the namespace of the thread that opens them.
  const [snmp, netstat, snmp6, conntrack, dev] = openInNetns(ns, () =>
    ['snmp', 'netstat', 'snmp6', 'stat/nf_conntrack', 'dev'].map(readOrEmpty),
  );
  return {
    protocols: new Map([
      ...parseCounterTable(snmp ?? ''),
      ...parseCounterTable(netstat ?? ''),
      ...parseSnmp6(snmp6 ?? ''),
      ...parseConntrack(conntrack ?? ''),
    ]),
    links: parseLinkDrops(dev ?? ''),
  };
}

/** Without IPv6 or conntrack there is no such file. */
function readOrEmpty(name: string): string {
  try {
    return readFileSync(`/proc/thread-self/net/${name}`, 'utf8');
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'EINVAL')) return '';
    throw error;
  }
}

const numbers = (line: string): string[] => line.trim().split(/\s+/);

/** Pairs of lines, names and values: `Ip: Forwarding DefaultTTL …`, `Ip: 1 64 …`. Pure. */
export function parseCounterTable(text: string): [string, bigint][] {
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.flatMap((line, index) => {
    if (index % 2 === 0) return [];
    const [, ...names] = numbers(lines[index - 1] ?? '');
    const [group = '', ...values] = numbers(line);
    return names.map((name, place): [string, bigint] => [`${group.slice(0, -1)}.${name}`, BigInt(values[place] ?? 0)]);
  });
}

/** A counter per line: `Ip6InNoRoutes 3`. Pure. */
export function parseSnmp6(text: string): [string, bigint][] {
  return text.split('\n').flatMap((line): [string, bigint][] => {
    const [, group, name, value] = /^(Ip6|Icmp6|Udp6|UdpLite6)(\S+)\s+(\d+)$/.exec(line) ?? [];
    return group === undefined ? [] : [[`${group}.${name}`, BigInt(value ?? 0)]];
  });
}

/** Names, then a line of hexadecimal values per CPU. `entries` is the number of connections, the same in each line. Pure. */
export function parseConntrack(text: string): [string, bigint][] {
  const [head = '', ...cpus] = text.split('\n').filter((line) => line !== '');
  if (cpus.length === 0) return [];
  const rows = cpus.map((line) => numbers(line).map((value) => BigInt(`0x${value}`)));
  return numbers(head).map((name, place) => {
    const values = rows.map((row) => row[place] ?? 0n);
    const total = name === 'entries' ? (values[0] ?? 0n) : values.reduce((sum, value) => sum + value, 0n);
    return [`Conntrack.${name}`, total];
  });
}

/** `name: bytes packets errs drop fifo frame compressed multicast`, then the same for transmitted packets. Pure. */
export function parseLinkDrops(text: string): Map<string, LinkDrops> {
  const lines = text.split('\n').flatMap((line) => {
    const [, name, rest] = /^\s*(\S+?):\s*(\d.*)$/.exec(line) ?? [];
    return name === undefined ? [] : [{ name, values: numbers(rest ?? '').map(BigInt) }];
  });
  return new Map(
    lines.map(({ name, values: [, , rxErrors = 0n, rxDropped = 0n, , , , , , , txErrors = 0n, txDropped = 0n] }) => [
      name,
      { rxDropped, rxErrors, txDropped, txErrors },
    ]),
  );
}

const linkKeys = ['rxDropped', 'rxErrors', 'txDropped', 'txErrors'] as const;

/** What moved between two readings of one namespace. A counter or link that is new counts from 0. Pure. */
export function compareCounters(before: NamespaceCounters, after: NamespaceCounters): CounterChanges {
  const protocols: Record<string, bigint> = {};
  for (const [name, value] of after.protocols) {
    const change = value - (before.protocols.get(name) ?? 0n);
    if (change !== 0n) protocols[name] = change;
  }
  const links: Record<string, Partial<LinkDrops>> = {};
  for (const [name, drops] of after.links) {
    const former = before.links.get(name);
    const moved = linkKeys.filter((key) => drops[key] !== (former?.[key] ?? 0n));
    if (moved.length > 0)
      links[name] = Object.fromEntries(moved.map((key) => [key, drops[key] - (former?.[key] ?? 0n)]));
  }
  return { protocols, links };
}
