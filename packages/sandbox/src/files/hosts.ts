/**
 * The content of a container's /etc/hosts, as Docker writes it: localhost lines, `--add-host` lines, link lines, own
 * lines last; a TAB between address and names. Later updates change single lines only, so that lines that a user added
 * are kept. Pure: text in, text out.
 */
import { NetyardError, parseIp } from '@netyard/core';

export interface HostsEntry {
  address: string;
  /** The first one is the canonical name; for links it is the alias. */
  names: readonly string[];
}

const ipv4Lines = ['127.0.0.1\tlocalhost'];
const ipv6Lines = [
  '::1\tlocalhost ip6-localhost ip6-loopback',
  'fe00::0\tip6-localnet',
  'ff00::0\tip6-mcastprefix',
  'ff02::1\tip6-allnodes',
  'ff02::2\tip6-allrouters',
];

const lineOf = (entry: HostsEntry): string => `${entry.address}\t${entry.names.join(' ')}`;

export interface HostsContent {
  /** False: no IPv6 lines, because the container has no IPv6 at all. */
  ipv6: boolean;
  extra: readonly HostsEntry[];
  links: readonly HostsEntry[];
  own: readonly HostsEntry[];
}

export function formatHosts(content: HostsContent): string {
  const entries = [...content.extra, ...content.links, ...content.own].filter(
    (entry) => content.ipv6 || parseIp(entry.address).family === 4,
  );
  return `${[...ipv4Lines, ...(content.ipv6 ? ipv6Lines : []), ...entries.map(lineOf)].join('\n')}\n`;
}

/** A container's own names: the full name, and its first label when the full name has a dot. */
export function ownNames(hostname: string, domainname: string | undefined): string[] {
  const full = domainname ? `${hostname}.${domainname}` : hostname;
  const dot = full.indexOf('.');
  return dot < 0 ? [full] : [full, full.slice(0, dot)];
}

/** Names of a linked container: alias, hostname, and its container name when that differs from the alias. */
export function linkNames(alias: string, childHostname: string, childName: string): string[] {
  return alias === childName ? [alias, childHostname] : [alias, childHostname, childName];
}

/** Parses `name:ip`; `gateways` are the addresses of host-gateway. Throws `invalid` with Docker's message. */
export function parseExtraHost(text: string, gateways: readonly string[]): HostsEntry[] {
  const colon = text.indexOf(':');
  const name = text.slice(0, colon);
  if (colon <= 0 || /[\s#\p{Cc}]/u.test(name)) {
    throw new NetyardError('invalid', `bad format for add-host: ${JSON.stringify(text)}`);
  }
  const given = text.slice(colon + 1).replace(/^\[(.*)\]$/, '$1');
  if (given === 'host-gateway') {
    if (gateways.length === 0) throw new NetyardError('invalid', 'unable to derive the IP value for host-gateway');
    return gateways.map((address) => ({ address, names: [name] }));
  }
  try {
    parseIp(given);
  } catch (cause) {
    throw new NetyardError('invalid', `invalid IP address in add-host: ${JSON.stringify(given)}`, { cause });
  }
  return [{ address: given, names: [name] }];
}

const familyOf = (address: string): 4 | 6 => (address.includes(':') ? 6 : 4);

/** Splits a line into address and names; undefined for comments, blank lines and lines of another form. */
function parseLine(line: string): HostsEntry | undefined {
  const match = /^(\S+)\t(\S[^#]*)$/.exec(line);
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  return { address: match[1], names: match[2].trim().split(/\s+/) };
}

/**
 * Replaces the addresses in the link's lines, each family on its own line: Docker applies one replacement for both
 * families to both lines and ends with two equal ones. A missing line (the target came later) is inserted above the
 * container's own lines; a line of a family that the target no longer has is removed. `entries` are all current addresses
 * of the link, at least one.
 */
export function updateLinkLines(text: string, alias: string, entries: readonly HostsEntry[], own: string): string {
  const missing = new Map(entries.map((entry) => [familyOf(entry.address), entry]));
  const current = new Set(missing.keys());
  const lines = text.split('\n').flatMap((line) => {
    const parsed = parseLine(line);
    if (parsed?.names[0] !== alias || parsed.names.length === 1) return [line];
    const family = familyOf(parsed.address);
    const entry = missing.get(family);
    if (!entry) return current.has(family) ? [line] : [];
    missing.delete(family);
    return [lineOf({ address: entry.address, names: parsed.names })];
  });
  if (missing.size === 0) return lines.join('\n');
  const ownLine = lines.findIndex((line) => parseLine(line)?.names[0] === own);
  const end = lines.at(-1) === '' ? lines.length - 1 : lines.length;
  lines.splice(ownLine < 0 ? end : ownLine, 0, ...[...missing.values()].map(lineOf));
  return lines.join('\n');
}

/**
 * The same for a target on another host, which may be a different container by now: its names are replaced as well. Its
 * line has one address.
 */
export function updateRemoteLine(text: string, alias: string, entry: HostsEntry, own: string): string {
  const isLink = (line: string): boolean => {
    const parsed = parseLine(line);
    return parsed !== undefined && parsed.names[0] === alias && parsed.names.length > 1;
  };
  const lines = text.split('\n');
  const at = lines.findIndex(isLink);
  if (at < 0) return updateLinkLines(text, alias, [entry], own);
  return lines.with(at, lineOf(entry)).join('\n');
}

/** Removes a link's lines. A line with a single name belongs to no link: `--add-host` may use the same name. */
export function removeLinkLines(text: string, alias: string): string {
  return keepLines(text, (entry) => entry.names[0] !== alias || entry.names.length === 1);
}

/** Removes the container's own lines with these addresses. */
export function removeOwnLines(text: string, own: string, addresses: readonly string[]): string {
  return keepLines(text, (entry) => entry.names[0] !== own || !addresses.includes(entry.address));
}

function keepLines(text: string, keep: (entry: HostsEntry) => boolean): string {
  const kept = text.split('\n').filter((line) => {
    const parsed = parseLine(line);
    return parsed === undefined || keep(parsed);
  });
  return kept.join('\n');
}

/** Adds lines at the end, as Docker does when a running container joins another network. */
export function appendLines(text: string, entries: readonly HostsEntry[]): string {
  const base = text === '' || text.endsWith('\n') ? text : `${text}\n`;
  return base + entries.map((entry) => `${lineOf(entry)}\n`).join('');
}
