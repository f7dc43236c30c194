/**
 * Plans and operations as shell commands: the twin of every object, for `explain` and for whoever wants to see. Pure.
 *
 * The script uses ip(8), bridge(8), nft(8), sysctl(8), nsenter(1) and cat(1). Run on an empty host it gives the state
 * that `apply` gives; run twice it fails where something is there already.
 */
import { dirname } from 'node:path';
import type {
  AddressObject,
  BridgeObject,
  FileObject,
  KernelObject,
  KernelOperation,
  KernelPlan,
  LinkStateObject,
  NeighbourObject,
  NetnsObject,
  NftElementObject,
  NftTableObject,
  RouteObject,
  SysctlObject,
  VethObject,
} from './desired.ts';
import { routeFamily } from './identity.ts';
import { netnsDirectory } from './netns.ts';
import { printElement, setWords } from './nft/element.ts';
import { printReplacement, printTable, tableWords } from './nft/table.ts';

/** One word for sh(1), quoted when it has to be. */
export function quoteWord(word: string): string {
  if (/^[A-Za-z0-9_@%+=:,./-]+$/.test(word)) return word;
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A command line from words; empty ones are left out. */
const line = (...words: (string | undefined)[]): string =>
  words
    .filter((word) => word !== undefined && word !== '')
    .map((word) => quoteWord(word ?? ''))
    .join(' ');

/** Name of a namespace that `ip -n` finds, or undefined. */
function netnsName(path: string): string | undefined {
  const name = path.startsWith(`${netnsDirectory}/`) ? path.slice(netnsDirectory.length + 1) : '';
  return name === '' || name.includes('/') ? undefined : name;
}

/** `ip` or `bridge` in a namespace. */
function tool(program: 'ip' | 'bridge', ns: string | undefined): string[] {
  if (ns === undefined) return [program];
  const name = netnsName(ns);
  return name === undefined ? ['nsenter', `--net=${ns}`, program] : [program, '-n', name];
}

const inside = (ns: string | undefined): string[] => (ns === undefined ? [] : ['nsenter', `--net=${ns}`]);

/** `key value` when there is a value. */
const option = (key: string, value: string | number | undefined): string[] =>
  value === undefined ? [] : [key, String(value)];

const onOff = (key: string, value: boolean | undefined): string[] =>
  value === undefined ? [] : [key, value ? 'on' : 'off'];

/** Commands that make, change and delete one kind of object. */
interface Twin<O> {
  create(object: O): string[];
  change(object: O): string[];
  delete(object: O): string[];
}

const netnsTwin: Twin<NetnsObject> = {
  create({ path }) {
    const name = netnsName(path);
    if (name !== undefined) return [line('ip', 'netns', 'add', name)];
    return [line('mkdir', '-p', dirname(path)), line('touch', path), line('unshare', `--net=${path}`, 'true')];
  },
  change: () => [],
  delete({ path }) {
    const name = netnsName(path);
    return name === undefined ? [line('umount', path), line('rm', path)] : [line('ip', 'netns', 'delete', name)];
  },
};

const linkDeletion = ({ ns, name }: { ns?: string; name: string }): string[] => [
  line(...tool('ip', ns), 'link', 'delete', name),
];

function bridgeSettings({ ns, name, owner, up }: BridgeObject, more: string[] = []): string {
  const state = up ? 'up' : 'down';
  return line(...tool('ip', ns), 'link', 'set', 'dev', name, ...more, ...option('alias', owner), state);
}

const bridgeTwin: Twin<BridgeObject> = {
  create(bridge) {
    const { ns, name, mac, mtu } = bridge;
    const options = [...option('address', mac), ...option('mtu', mtu)];
    return [line(...tool('ip', ns), 'link', 'add', 'name', name, ...options, 'type', 'bridge'), bridgeSettings(bridge)];
  },
  change: (bridge) => [bridgeSettings(bridge, [...option('address', bridge.mac), ...option('mtu', bridge.mtu)])],
  delete: linkDeletion,
};

/** The far end's `netns …`: none in the same one; this shell's own is found by its process. */
function peerNetns(veth: VethObject): string {
  if (veth.peer.ns === veth.ns) return '';
  if (veth.peer.ns === undefined) return ' netns /proc/$$/ns/net';
  return ` netns ${quoteWord(netnsName(veth.peer.ns) ?? veth.peer.ns)}`;
}

/** Settings of both ends, in an order the kernel takes: port flags when there is a master, up last. */
function vethSettings(veth: VethObject, near: string[] = [], far: string[] = []): string[] {
  const { ns, name, owner, master, hairpin, isolated, up, peer } = veth;
  const port = [...onOff('hairpin', hairpin), ...onOff('isolated', isolated)];
  const settings = [...near, ...option('alias', owner), ...option('master', master)];
  return [
    ...(settings.length > 0 ? [line(...tool('ip', ns), 'link', 'set', 'dev', name, ...settings)] : []),
    ...(port.length > 0 ? [line(...tool('bridge', ns), 'link', 'set', 'dev', name, ...port)] : []),
    line(...tool('ip', ns), 'link', 'set', 'dev', name, up ? 'up' : 'down'),
    line(...tool('ip', peer.ns), 'link', 'set', 'dev', peer.name, ...far, peer.up ? 'up' : 'down'),
  ];
}

const vethTwin: Twin<VethObject> = {
  create(veth) {
    const { ns, name, mtu, peer } = veth;
    const far = ['peer', 'name', peer.name, ...option('address', peer.mac), ...option('mtu', mtu)];
    const add = line(...tool('ip', ns), 'link', 'add', 'name', name, ...option('mtu', mtu), 'type', 'veth', ...far);
    return [add + peerNetns(veth), ...vethSettings(veth)];
  },
  change(veth) {
    const mtu = option('mtu', veth.mtu);
    return vethSettings(veth, mtu, [...option('address', veth.peer.mac), ...mtu]);
  },
  delete: linkDeletion,
};

function linkState({ ns, name, up, mtu, mac }: LinkStateObject): string[] {
  const state = up === undefined ? [] : [up ? 'up' : 'down'];
  const settings = [...option('address', mac), ...option('mtu', mtu), ...state];
  return settings.length === 0 ? [] : [line(...tool('ip', ns), 'link', 'set', 'dev', name, ...settings)];
}

const linkStateTwin: Twin<LinkStateObject> = { create: linkState, change: linkState, delete: () => [] };

function addressLine(verb: 'add' | 'delete', { ns, link, prefix, broadcast }: AddressObject): string {
  const options = verb === 'delete' ? [] : [...option('broadcast', broadcast)];
  const noDad = verb === 'add' && prefix.includes(':') ? 'nodad' : undefined;
  return line(...tool('ip', ns), 'address', verb, prefix, ...options, 'dev', link, noDad);
}

const addressTwin: Twin<AddressObject> = {
  create: (address) => [addressLine('add', address)],
  change: (address) => [addressLine('delete', address), addressLine('add', address)],
  delete: (address) => [addressLine('delete', address)],
};

function routeLine(verb: 'add' | 'replace' | 'delete', route: RouteObject): string {
  const family = routeFamily(route);
  const [program = 'ip', ...place] = tool('ip', route.ns);
  const six = family === 6 && !route.to.includes(':') ? '-6' : undefined;
  const words = program === 'ip' ? [program, six, ...place] : [program, ...place, six];
  const crossed = route.via !== undefined && route.via.includes(':') !== (family === 6);
  const via =
    route.via === undefined ? [] : ['via', crossed ? (family === 4 ? 'inet6' : 'inet') : undefined, route.via];
  const options = [
    ...option('dev', route.link),
    ...option('src', route.source),
    ...option('metric', route.metric),
    ...option('table', route.table),
    ...(verb === 'delete' ? [] : option('scope', route.scope)),
    ...option('proto', route.protocol),
    ...(route.onlink ? ['onlink'] : []),
  ];
  return line(...words, 'route', verb, route.to, ...via, ...options);
}

const routeTwin: Twin<RouteObject> = {
  create: (route) => [routeLine('add', route)],
  change: (route) => [routeLine('replace', route)],
  delete: (route) => [routeLine('delete', route)],
};

const neighbourLine = ({ ns, address, mac, link }: NeighbourObject): string =>
  line(...tool('ip', ns), 'neighbour', 'replace', address, 'lladdr', mac, 'dev', link, 'nud', 'permanent');

const neighbourTwin: Twin<NeighbourObject> = {
  create: (neighbour) => [neighbourLine(neighbour)],
  change: (neighbour) => [neighbourLine(neighbour)],
  delete: ({ ns, address, link }) => [line(...tool('ip', ns), 'neighbour', 'delete', address, 'dev', link)],
};

const sysctlLine = ({ ns, key, value }: SysctlObject): string =>
  line(...inside(ns), 'sysctl', '-q', '-w', `${key}=${value}`);

const sysctlTwin: Twin<SysctlObject> = {
  create: (sysctl) => [sysctlLine(sysctl)],
  change: (sysctl) => [sysctlLine(sysctl)],
  delete: () => [],
};

/** A here-document whose end does not occur in it. */
function hereDocument(command: string, text: string, end: string): string {
  const lines = text.split('\n');
  while (lines.includes(end)) end = `${end}_`;
  return `${command} <<'${end}'\n${text}${text.endsWith('\n') ? '' : '\n'}${end}`;
}

const nftInput = (ns: string | undefined, text: string): string =>
  hereDocument(line(...inside(ns), 'nft', '-f', '-'), text, 'NFT');

const tableTwin: Twin<NftTableObject> = {
  create: (table) => [nftInput(table.ns, printTable(table))],
  change: (table) => [nftInput(table.ns, printReplacement(table, printTable(table)))],
  delete: (table) => [line(...inside(table.ns), 'nft', 'delete', 'table', ...tableWords(table).split(' '))],
};

function elementLine(verb: 'add' | 'delete', element: NftElementObject): string {
  const inBraces = verb === 'add' ? printElement(element) : element.key;
  const words = setWords(element).split(' ');
  return line(...inside(element.ns), 'nft', verb, 'element', ...words, `{ ${inBraces} }`);
}

const elementTwin: Twin<NftElementObject> = {
  create: (element) => [elementLine('add', element)],
  change: (element) => [elementLine('delete', element), elementLine('add', element)],
  delete: (element) => [elementLine('delete', element)],
};

function writeFile({ path, content, mode }: FileObject): string[] {
  const target = quoteWord(path);
  const write = content.endsWith('\n')
    ? hereDocument(`cat > ${target}`, content, 'EOF')
    : `printf %s ${content === '' ? "''" : quoteWord(content)} > ${target}`;
  return [write, ...(mode === undefined ? [] : [line('chmod', mode.toString(8), path)])];
}

const fileTwin: Twin<FileObject> = {
  create: (file) => [line('mkdir', '-p', dirname(file.path)), ...writeFile(file)],
  change: writeFile,
  delete: ({ path }) => [line('rm', '-f', path)],
};

const twins: { [K in KernelObject['kind']]: Twin<Extract<KernelObject, { kind: K }>> } = {
  netns: netnsTwin,
  bridge: bridgeTwin,
  veth: vethTwin,
  'link-state': linkStateTwin,
  address: addressTwin,
  route: routeTwin,
  neighbour: neighbourTwin,
  sysctl: sysctlTwin,
  'nft-table': tableTwin,
  'nft-element': elementTwin,
  file: fileTwin,
};

/** The commands of one operation, each perhaps with a here-document. */
export function printCommands({ action, object }: KernelOperation): string[] {
  const twin = twins[object.kind] as unknown as Twin<KernelObject>; // kinds and twins are paired by the table
  return twin[action](object);
}

/** An operation in one line, for lists and messages: what a here-document would hold is left out. */
export function printOperation(operation: KernelOperation): string {
  const { object } = operation;
  if (object.kind === 'nft-table' && operation.action !== 'delete') {
    const verb = operation.action === 'create' ? 'add' : 'replace';
    return `${line(...inside(object.ns), 'nft', verb, 'table', ...tableWords(object).split(' '))} { … }`;
  }
  if (object.kind === 'file' && operation.action !== 'delete') return `cat > ${quoteWord(object.path)}`;
  return printCommands(operation).join(' && ');
}

/** A folder is made once, for the first of its files. */
function withoutRepeats(commands: readonly string[]): string[] {
  return commands.filter((command, index) => !command.startsWith('mkdir ') || commands.indexOf(command) === index);
}

/** The whole plan as a POSIX shell script. */
export function printShell(plan: KernelPlan): string {
  const commands = withoutRepeats(plan.objects.flatMap((object) => printCommands({ action: 'create', object })));
  const title = `# ${plan.owner.replace(/[\r\n]+/g, ' ')}`;
  return ['#!/bin/sh', title, 'set -e', '', ...commands, ''].join('\n');
}
