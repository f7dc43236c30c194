/**
 * Prints plans and operations as their equivalent shell commands, for `explain` and dry runs. Pure.
 *
 * The script uses ip(8), bridge(8), nft(8), sysctl(8), nsenter(1), cat(1) and awk(1). Executed on an empty host, it creates the
 * state that `apply` creates; executed again, it fails at existing objects.
 */
import { dirname } from 'node:path';
import type {
  AddressObject,
  FileObject,
  KernelObject,
  KernelOperation,
  KernelPlan,
  NeighbourObject,
  NeighbourProxyObject,
  NetnsObject,
  NftElementObject,
  NftRuleObject,
  NftTableObject,
  RouteObject,
  SysctlObject,
} from '../desired.ts';
import { printElement, setSpec } from '../netlink/nft/element.ts';
import { chainSpec, printRule } from '../netlink/nft/rule.ts';
import { printTable, tableSpec } from '../netlink/nft/table.ts';
import { routeFamily } from '../system/identity.ts';
import {
  type EquivalentCommand,
  hereDocument,
  inside,
  line,
  netnsName,
  option,
  quoteWord,
  tool,
} from './shell/command-line.ts';
import {
  bridgeCommand,
  dummyCommand,
  fdbCommand,
  ipvlanCommand,
  linkStateCommand,
  macvlanCommand,
  vethCommand,
  vlanCommand,
  vxlanCommand,
} from './shell/links.ts';
import { replaceTable } from './shell/replace-table.ts';

export { quoteWord };

const netnsCommand: EquivalentCommand<NetnsObject> = {
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

function addressLine(verb: 'add' | 'delete', { ns, link, prefix, broadcast }: AddressObject): string {
  const options = verb === 'delete' ? [] : [...option('broadcast', broadcast)];
  const noDad = verb === 'add' && prefix.includes(':') ? 'nodad' : undefined;
  return line(...tool('ip', ns), 'address', verb, prefix, ...options, 'dev', link, noDad);
}

const addressCommand: EquivalentCommand<AddressObject> = {
  create: (address) => [addressLine('add', address)],
  change: (address) => [addressLine('delete', address), addressLine('add', address)],
  delete: (address) => [addressLine('delete', address)],
};

function routeLine(verb: 'add' | 'replace' | 'delete', route: RouteObject): string {
  const family = routeFamily(route);
  const [program = 'ip', ...nsOption] = tool('ip', route.ns);
  const six = family === 6 && !route.to.includes(':') ? '-6' : undefined;
  const command = program === 'ip' ? [program, six, ...nsOption] : [program, ...nsOption, six];
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
  return line(...command, 'route', verb, route.to, ...via, ...options);
}

const routeCommand: EquivalentCommand<RouteObject> = {
  create: (route) => [routeLine('add', route)],
  change: (route) => [routeLine('replace', route)],
  delete: (route) => [routeLine('delete', route)],
};

const neighbourLine = ({ ns, address, mac, link }: NeighbourObject): string =>
  line(...tool('ip', ns), 'neighbour', 'replace', address, 'lladdr', mac, 'dev', link, 'nud', 'permanent');

const neighbourCommand: EquivalentCommand<NeighbourObject> = {
  create: (neighbour) => [neighbourLine(neighbour)],
  change: (neighbour) => [neighbourLine(neighbour)],
  delete: ({ ns, address, link }) => [line(...tool('ip', ns), 'neighbour', 'delete', address, 'dev', link)],
};

const proxyLine = ({ ns, address, link, protocol }: NeighbourProxyObject): string =>
  line(...tool('ip', ns), 'neighbour', 'replace', 'proxy', address, 'dev', link, 'protocol', String(protocol));

const neighbourProxyCommand: EquivalentCommand<NeighbourProxyObject> = {
  create: (proxy) => [proxyLine(proxy)],
  change: (proxy) => [proxyLine(proxy)],
  delete: ({ ns, address, link }) => [line(...tool('ip', ns), 'neighbour', 'delete', 'proxy', address, 'dev', link)],
};

const sysctlLine = ({ ns, key, value }: SysctlObject): string =>
  line(...inside(ns), 'sysctl', '-q', '-w', `${key}=${value}`);

const sysctlCommand: EquivalentCommand<SysctlObject> = {
  create: (sysctl) => [sysctlLine(sysctl)],
  change: (sysctl) => [sysctlLine(sysctl)],
  delete: () => [],
};

const nftInput = (ns: string | undefined, text: string): string =>
  hereDocument(line(...inside(ns), 'nft', '-f', '-'), text, 'NFT');

const tableCommand: EquivalentCommand<NftTableObject> = {
  create: (table) => [nftInput(table.ns, printTable(table))],
  change: (table) => [replaceTable(table)],
  delete: (table) => [line(...inside(table.ns), 'nft', 'delete', 'table', ...tableSpec(table).split(' '))],
};

function elementLine(verb: 'add' | 'delete', element: NftElementObject): string {
  const inBraces = verb === 'add' ? printElement(element) : element.key;
  const set = setSpec(element).split(' ');
  return line(...inside(element.ns), 'nft', verb, 'element', ...set, `{ ${inBraces} }`);
}

const elementCommand: EquivalentCommand<NftElementObject> = {
  create: (element) => [elementLine('add', element)],
  change: (element) => [elementLine('delete', element), elementLine('add', element)],
  delete: (element) => [elementLine('delete', element)],
};

const ruleLine = (rule: NftRuleObject): string => line(...inside(rule.ns), 'nft', printRule(rule));

/** nft(8) deletes a rule by its handle only. */
function deleteRuleLine(object: NftRuleObject): string {
  const chain = chainSpec(object);
  const nft = line(...inside(object.ns), 'nft');
  const comment = object.comment.replace(/[\\/.*[\]^$]/g, '\\$&'); // as text in a basic regular expression
  const handle = `$(${nft} -a list chain ${chain} | sed -n ${quoteWord(`s/.* comment "${comment}" # handle //p`)})`;
  return `${nft} delete rule ${chain} handle ${handle}`;
}

const ruleCommand: EquivalentCommand<NftRuleObject> = {
  create: (rule) => [ruleLine(rule)],
  change: (rule) => [deleteRuleLine(rule), ruleLine(rule)],
  delete: (rule) => [deleteRuleLine(rule)],
};

function writeFile({ path, content, mode }: FileObject): string[] {
  const target = quoteWord(path);
  const write = content.endsWith('\n')
    ? hereDocument(`cat > ${target}`, content, 'EOF')
    : `printf %s ${content === '' ? "''" : quoteWord(content)} > ${target}`;
  return [write, ...(mode === undefined ? [] : [line('chmod', mode.toString(8), path)])];
}

const fileCommand: EquivalentCommand<FileObject> = {
  create: (file) => [line('mkdir', '-p', dirname(file.path)), ...writeFile(file)],
  change: writeFile,
  delete: ({ path }) => [line('rm', '-f', path)],
};

const commands: { [K in KernelObject['kind']]: EquivalentCommand<Extract<KernelObject, { kind: K }>> } = {
  netns: netnsCommand,
  bridge: bridgeCommand,
  veth: vethCommand,
  vxlan: vxlanCommand,
  macvlan: macvlanCommand,
  ipvlan: ipvlanCommand,
  vlan: vlanCommand,
  dummy: dummyCommand,
  fdb: fdbCommand,
  'link-state': linkStateCommand,
  address: addressCommand,
  route: routeCommand,
  neighbour: neighbourCommand,
  'neighbour-proxy': neighbourProxyCommand,
  sysctl: sysctlCommand,
  'nft-table': tableCommand,
  'nft-element': elementCommand,
  'nft-rule': ruleCommand,
  file: fileCommand,
};

/** The commands of one operation; some contain a here-document. */
export function printCommands({ action, object }: KernelOperation): string[] {
  const command = commands[object.kind] as unknown as EquivalentCommand<KernelObject>; // the table pairs each kind with its command
  return command[action](object);
}

/** An operation in one line, for lists and messages: here-documents are omitted. */
export function printOperation(operation: KernelOperation): string {
  const { object } = operation;
  if (object.kind === 'nft-table' && operation.action !== 'delete') {
    const verb = operation.action === 'create' ? 'add' : 'replace';
    return `${line(...inside(object.ns), 'nft', verb, 'table', ...tableSpec(object).split(' '))} { … }`;
  }
  if (object.kind === 'file' && operation.action !== 'delete') return `cat > ${quoteWord(object.path)}`;
  return printCommands(operation).join(' && ');
}

/** A directory is created once, for the first of its files. */
function withoutRepeats(commands: readonly string[]): string[] {
  return commands.filter((command, index) => !command.startsWith('mkdir ') || commands.indexOf(command) === index);
}

/** The whole plan as a POSIX shell script. */
export function printShell(plan: KernelPlan): string {
  const commands = withoutRepeats(plan.objects.flatMap((object) => printCommands({ action: 'create', object })));
  const title = `# ${plan.owner.replace(/[\r\n]+/g, ' ')}`;
  return ['#!/bin/sh', title, 'set -e', '', ...commands, ''].join('\n');
}
