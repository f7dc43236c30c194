/**
 * The table of all commands: name, summary and a function that loads the rest. A command is loaded only when it is
 * called, so that `netyard version` does not load `cp`.
 */
import { containerCommands, imageCommands, volumeCommands } from './command-table/containers.ts';
import { clusterCommands, networkCommands, nsCommands, peerCommands } from './command-table/networks.ts';
import type { CommandSpec, Entry } from './program/spec.ts';

const registry = () => import('./commands/registry.ts');
const system = () => import('./commands/system.ts');
const events = async (): Promise<CommandSpec> => (await import('./commands/events.ts')).events;
const info = async (): Promise<CommandSpec> => (await import('./commands/info.ts')).info;

const systemCommands: readonly Entry[] = [
  { name: 'cleanup', summary: 'Remove leftovers that no container uses', load: async () => (await system()).cleanup },
  { name: 'df', summary: 'Show disk usage', load: async () => (await system()).df },
  { name: 'events', summary: 'Get real time events from the server', load: events },
  { name: 'info', summary: 'Display system-wide information', load: info },
  {
    name: 'prune',
    summary: 'Remove unused data',
    load: async () => (await import('./commands/prune.ts')).systemPrune,
  },
  {
    name: 'recover',
    summary: "Rebuild the database of a daemon that doesn't start",
    load: async () => (await system()).recover,
  },
];

/** A command of `container` or `image` at the top level, with its own summary unless `as` has another. */
const topLevel = (from: readonly Entry[], name: string, as: Partial<Entry> = {}): Entry => {
  const { aliases: _aliases, ...entry } = from.find((candidate) => candidate.name === name) ?? { name, summary: '' };
  return { ...entry, ...as };
};

const topLevelContainer = (...names: string[]): Entry[] => names.map((name) => topLevel(containerCommands, name));
const topLevelImage = (...names: string[]): Entry[] => names.map((name) => topLevel(imageCommands, name));

const commonCommands: readonly Entry[] = [
  topLevel(containerCommands, 'run', { group: 'common' }),
  topLevel(containerCommands, 'exec', { group: 'common' }),
  topLevel(containerCommands, 'ls', { name: 'ps', group: 'common' }),
  topLevel(imageCommands, 'pull', { group: 'common' }),
  topLevel(imageCommands, 'push', { group: 'common' }),
  topLevel(imageCommands, 'ls', { name: 'images', group: 'common' }),
  { name: 'login', group: 'common', summary: 'Authenticate to a registry', load: async () => (await registry()).login },
  { name: 'logout', group: 'common', summary: 'Log out from a registry', load: async () => (await registry()).logout },
  {
    name: 'version',
    group: 'common',
    summary: 'Show the version information',
    load: async () => (await import('./commands/version.ts')).version,
  },
  { name: 'info', group: 'common', summary: 'Display system-wide information', load: info },
];

const ownCommands: readonly Entry[] = [
  { name: 'cluster', group: 'netyard', summary: 'Manage membership in a cluster', children: clusterCommands },
  {
    name: 'completion',
    group: 'netyard',
    summary: 'Print the completion script for bash or zsh',
    load: async () => (await import('./commands/completion.ts')).completion(rootEntry),
  },
  {
    name: 'daemon',
    group: 'netyard',
    summary: 'Run the engine',
    // Rarely used: `bin/netyard daemon` starts daemon-main.ts, which loads less.
    passThrough: async (_context, args) => await (await import('@netyard/daemon')).runDaemon(args),
    foreign: async () => (await import('@netyard/daemon')).daemonCommand(async () => {}),
  },
  {
    name: 'capture',
    group: 'netyard',
    summary: 'Capture packets of a container, a network or the uplink',
    load: async () => (await import('./commands/capture.ts')).capture,
  },
  {
    name: 'diagnose',
    group: 'netyard',
    summary: 'Check the network of containers of any engine for faults',
    load: async () => (await import('./commands/diagnose.ts')).diagnose,
  },
  {
    name: 'doctor',
    group: 'netyard',
    summary: 'Check this host for problems with containers and their networks',
    load: async () => (await import('./doctor/command.ts')).doctor,
  },
  {
    name: 'explain',
    group: 'netyard',
    summary: 'Print a shell script that creates the network of a container, a network, or the path to a peer',
    load: async () => (await system()).explain,
  },
  {
    name: 'journal',
    group: 'netyard',
    summary: 'Print network changes and repairs of the past days',
    load: async () => (await import('./commands/journal.ts')).journal,
  },
  {
    name: 'lab',
    group: 'netyard',
    summary: 'Create virtual hosts on this machine',
    passThrough: async (_context, args) => (await import('./commands/lab.ts')).runLab(args),
    foreign: async () => (await import('@netyard/lab')).labCommand(),
  },
  { name: 'ns', group: 'netyard', summary: 'Manage network namespaces (without a daemon)', children: nsCommands },
  {
    name: 'peer',
    group: 'netyard',
    summary: 'Manage peers: remote hosts whose containers and ours reach each other',
    children: peerCommands,
  },
  {
    name: 'topology',
    group: 'netyard',
    summary: 'List the containers of all engines of this host (without a daemon)',
    load: async () => (await import('./topology/command.ts')).topology,
  },
  {
    name: 'trace',
    group: 'netyard',
    summary: 'Follow a packet from a container to a target, and say where it stopped',
    load: async () => (await import('./commands/trace.ts')).trace,
  },
  {
    name: 'web',
    group: 'netyard',
    summary: 'Print an address that opens the topology page of the daemon',
    load: async () => (await import('./commands/web.ts')).web,
  },
];

const plainCommands: readonly Entry[] = [
  ...topLevelContainer('attach', 'commit', 'cp', 'create', 'diff'),
  { name: 'events', summary: 'Get real time events from the server', load: events },
  ...topLevelContainer('export'),
  ...topLevelImage('history', 'import'),
  {
    name: 'inspect',
    summary: 'Return low-level information on Netyard objects',
    load: async () => (await import('./commands/inspect.ts')).inspect,
  },
  ...topLevelContainer('kill'),
  ...topLevelImage('load'),
  ...topLevelContainer('logs', 'pause', 'port', 'rename', 'restart', 'rm'),
  topLevel(imageCommands, 'rm', { name: 'rmi' }),
  ...topLevelImage('save'),
  ...topLevelContainer('start', 'stats', 'stop'),
  ...topLevelImage('tag'),
  ...topLevelContainer('top', 'unpause', 'update', 'wait'),
];

export const rootEntry: Entry = {
  name: 'netyard',
  summary: 'A container engine with transparent networking',
  children: [
    ...commonCommands,
    { name: 'container', group: 'management', summary: 'Manage containers', children: containerCommands },
    { name: 'image', group: 'management', summary: 'Manage images', children: imageCommands },
    { name: 'network', group: 'management', summary: 'Manage networks', children: networkCommands },
    { name: 'system', group: 'management', summary: 'Manage Netyard', children: systemCommands },
    { name: 'volume', group: 'management', summary: 'Manage volumes', children: volumeCommands },
    ...ownCommands,
    ...plainCommands,
  ],
};
