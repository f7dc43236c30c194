/**
 * The table of all commands: name, summary and a function that loads the rest. A command is loaded only when it is
 * called, so that `netyard version` does not load `cp`.
 */
import type { CommandSpec, Entry } from './program/spec.ts';

type Load = () => Promise<CommandSpec>;

const lifecycle =
  (name: 'stop' | 'restart' | 'kill' | 'pause' | 'unpause' | 'rename' | 'rm' | 'wait'): Load =>
  async () =>
    (await import('./commands/lifecycle.ts'))[name];

const run: Load = async () => (await import('./commands/run.ts')).run;
const create: Load = async () => (await import('./commands/create.ts')).create;
const start: Load = async () => (await import('./commands/attach.ts')).start;
const attach: Load = async () => (await import('./commands/attach.ts')).attach;
const exec: Load = async () => (await import('./commands/exec.ts')).exec;
const ps: Load = async () => (await import('./commands/ps.ts')).ps;
const logs: Load = async () => (await import('./commands/logs.ts')).logs;
const top: Load = async () => (await import('./commands/top.ts')).top;
const stats: Load = async () => (await import('./commands/stats.ts')).stats;
const port: Load = async () => (await import('./commands/port.ts')).port;
const cp: Load = async () => (await import('./commands/cp.ts')).cp;
const diff: Load = async () => (await import('./commands/files.ts')).diff;
const exportContainer: Load = async () => (await import('./commands/files.ts')).exportContainer;
const update: Load = async () => (await import('./commands/update.ts')).update;
const stop = lifecycle('stop');
const restart = lifecycle('restart');
const kill = lifecycle('kill');
const pause = lifecycle('pause');
const unpause = lifecycle('unpause');
const rename = lifecycle('rename');
const rm = lifecycle('rm');
const wait = lifecycle('wait');

const commit: Load = async () => (await import('./commands/commit.ts')).commit;
const images: Load = async () => (await import('./commands/images.ts')).images;
const history: Load = async () => (await import('./commands/images.ts')).history;
const rmi: Load = async () => (await import('./commands/images.ts')).rmi;
const tag: Load = async () => (await import('./commands/images.ts')).tag;
const load: Load = async () => (await import('./commands/archives.ts')).load;
const importImage: Load = async () => (await import('./commands/archives.ts')).importImage;
const save: Load = async () => (await import('./commands/archives.ts')).save;
const pull: Load = async () => (await import('./commands/registry.ts')).pull;
const push: Load = async () => (await import('./commands/registry.ts')).push;
const login: Load = async () => (await import('./commands/registry.ts')).login;
const logout: Load = async () => (await import('./commands/registry.ts')).logout;

const inspect: Load = async () => (await import('./commands/inspect.ts')).inspect;
const events: Load = async () => (await import('./commands/events.ts')).events;
const info: Load = async () => (await import('./commands/info.ts')).info;
const version: Load = async () => (await import('./commands/version.ts')).version;

const containerCommands: readonly Entry[] = [
  {
    name: 'attach',
    summary: 'Attach local standard input, output, and error streams to a running container',
    load: attach,
  },
  { name: 'commit', summary: "Create a new image from a container's changes", load: commit },
  { name: 'cp', summary: 'Copy files/folders between a container and the local filesystem', load: cp },
  { name: 'create', summary: 'Create a new container', load: create },
  { name: 'diff', summary: "Inspect changes to files or directories on a container's filesystem", load: diff },
  { name: 'exec', summary: 'Execute a command in a running container', load: exec },
  { name: 'export', summary: "Export a container's filesystem as a tar archive", load: exportContainer },
  {
    name: 'inspect',
    summary: 'Display detailed information on one or more containers',
    load: async () => (await import('./commands/inspect.ts')).containerInspect,
  },
  { name: 'kill', summary: 'Kill one or more running containers', load: kill },
  { name: 'logs', summary: 'Fetch the logs of a container', load: logs },
  { name: 'ls', aliases: ['list', 'ps'], summary: 'List containers', load: ps },
  { name: 'pause', summary: 'Pause all processes within one or more containers', load: pause },
  { name: 'port', summary: 'List port mappings or a specific mapping for the container', load: port },
  {
    name: 'prune',
    summary: 'Remove all stopped containers',
    load: async () => (await import('./commands/prune.ts')).containerPrune,
  },
  { name: 'rename', summary: 'Rename a container', load: rename },
  { name: 'restart', summary: 'Restart one or more containers', load: restart },
  { name: 'rm', aliases: ['remove'], summary: 'Remove one or more containers', load: rm },
  { name: 'run', summary: 'Create and run a new container from an image', load: run },
  { name: 'start', summary: 'Start one or more stopped containers', load: start },
  { name: 'stats', summary: 'Display a live stream of container(s) resource usage statistics', load: stats },
  { name: 'stop', summary: 'Stop one or more running containers', load: stop },
  { name: 'top', summary: 'Display the running processes of a container', load: top },
  { name: 'unpause', summary: 'Unpause all processes within one or more containers', load: unpause },
  { name: 'update', summary: 'Update configuration of one or more containers', load: update },
  { name: 'wait', summary: 'Block until one or more containers stop, then print their exit codes', load: wait },
];

const imageCommands: readonly Entry[] = [
  { name: 'history', summary: 'Show the history of an image', load: history },
  { name: 'import', summary: 'Import the contents from a tarball to create a filesystem image', load: importImage },
  {
    name: 'inspect',
    summary: 'Display detailed information on one or more images',
    load: async () => (await import('./commands/inspect.ts')).imageInspect,
  },
  { name: 'load', summary: 'Load an image from a tar archive or STDIN', load },
  { name: 'ls', aliases: ['list'], summary: 'List images', load: images },
  {
    name: 'prune',
    summary: 'Remove unused images',
    load: async () => (await import('./commands/prune.ts')).imagePrune,
  },
  { name: 'pull', summary: 'Download an image from a registry', load: pull },
  { name: 'push', summary: 'Upload an image to a registry', load: push },
  { name: 'rm', aliases: ['remove'], summary: 'Remove one or more images', load: rmi },
  { name: 'save', summary: 'Save one or more images to a tar archive (streamed to STDOUT by default)', load: save },
  { name: 'tag', summary: 'Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE', load: tag },
];

const networkCommands: readonly Entry[] = [
  {
    name: 'connect',
    summary: 'Connect a container to a network',
    load: async () => (await import('./commands/networks.ts')).networkConnect,
  },
  {
    name: 'create',
    summary: 'Create a network',
    load: async () => (await import('./commands/networks.ts')).networkCreate,
  },
  {
    name: 'disconnect',
    summary: 'Disconnect a container from a network',
    load: async () => (await import('./commands/networks.ts')).networkDisconnect,
  },
  {
    name: 'inspect',
    summary: 'Display detailed information on one or more networks',
    load: async () => (await import('./commands/inspect.ts')).networkInspect,
  },
  {
    name: 'ls',
    aliases: ['list'],
    summary: 'List networks',
    load: async () => (await import('./commands/networks.ts')).networkLs,
  },
  {
    name: 'prune',
    summary: 'Remove all unused networks',
    load: async () => (await import('./commands/prune.ts')).networkPrune,
  },
  {
    name: 'rm',
    aliases: ['remove'],
    summary: 'Remove one or more networks',
    load: async () => (await import('./commands/networks.ts')).networkRm,
  },
];

const clusterCommands: readonly Entry[] = [
  {
    name: 'leave',
    summary: 'Remove this host from its cluster and release its subnet',
    load: async () => (await import('./commands/cluster.ts')).clusterLeave,
  },
  {
    name: 'ls',
    aliases: ['list'],
    summary: 'List the hosts of the cluster',
    load: async () => (await import('./commands/cluster.ts')).clusterLs,
  },
  {
    name: 'release',
    summary: 'Release the subnets reserved for one or more former members',
    load: async () => (await import('./commands/cluster.ts')).clusterRelease,
  },
];

const peerCommands: readonly Entry[] = [
  { name: 'add', summary: 'Add a peer', load: async () => (await import('./commands/peers.ts')).peerAdd },
  {
    name: 'inspect',
    summary: 'Display detailed information on one or more peers',
    load: async () => (await import('./commands/inspect.ts')).peerInspect,
  },
  {
    name: 'ls',
    aliases: ['list'],
    summary: 'List peers',
    load: async () => (await import('./commands/peers.ts')).peerLs,
  },
  {
    name: 'rm',
    aliases: ['remove'],
    summary: 'Remove one or more peers',
    load: async () => (await import('./commands/peers.ts')).peerRm,
  },
];

const volumeCommands: readonly Entry[] = [
  {
    name: 'create',
    summary: 'Create a volume',
    load: async () => (await import('./commands/volumes.ts')).volumeCreate,
  },
  {
    name: 'inspect',
    summary: 'Display detailed information on one or more volumes',
    load: async () => (await import('./commands/inspect.ts')).volumeInspect,
  },
  {
    name: 'ls',
    aliases: ['list'],
    summary: 'List volumes',
    load: async () => (await import('./commands/volumes.ts')).volumeLs,
  },
  {
    name: 'prune',
    summary: 'Remove unused local volumes',
    load: async () => (await import('./commands/prune.ts')).volumePrune,
  },
  {
    name: 'rm',
    aliases: ['remove'],
    summary: 'Remove one or more volumes',
    load: async () => (await import('./commands/volumes.ts')).volumeRm,
  },
];

const systemCommands: readonly Entry[] = [
  {
    name: 'cleanup',
    summary: 'Remove leftovers that no container uses',
    load: async () => (await import('./commands/system.ts')).cleanup,
  },
  { name: 'df', summary: 'Show disk usage', load: async () => (await import('./commands/system.ts')).df },
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
    load: async () => (await import('./commands/system.ts')).recover,
  },
];

const nsCommands: readonly Entry[] = [
  { name: 'add', summary: 'Create network namespaces', load: async () => (await import('./ns/commands.ts')).nsAdd },
  {
    name: 'addr',
    summary: 'Add addresses to an interface',
    load: async () => (await import('./ns/link-commands.ts')).nsAddr,
  },
  { name: 'exec', summary: 'Run a command in a namespace', load: async () => (await import('./ns/exec.ts')).nsExec },
  {
    name: 'link',
    summary: 'Connect two namespaces with a veth pair: created, named, addressed and up',
    load: async () => (await import('./ns/link-commands.ts')).nsLink,
  },
  {
    name: 'ls',
    aliases: ['list'],
    summary: 'List network namespaces',
    load: async () => (await import('./ns/commands.ts')).nsLs,
  },
  {
    name: 'move',
    summary: 'Move an interface to another namespace',
    load: async () => (await import('./ns/link-commands.ts')).nsMove,
  },
  {
    name: 'rename',
    summary: 'Rename an interface',
    load: async () => (await import('./ns/link-commands.ts')).nsRename,
  },
  {
    name: 'rm',
    aliases: ['delete', 'remove'],
    summary: 'Delete network namespaces',
    load: async () => (await import('./ns/commands.ts')).nsRm,
  },
  {
    name: 'up',
    summary: 'Set an interface up, optionally with addresses',
    load: async () => (await import('./ns/link-commands.ts')).nsUp,
  },
  {
    name: 'veth',
    summary: 'Create a pair of virtual Ethernet devices',
    load: async () => (await import('./ns/link-commands.ts')).nsVeth,
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
  { name: 'login', group: 'common', summary: 'Authenticate to a registry', load: login },
  { name: 'logout', group: 'common', summary: 'Log out from a registry', load: logout },
  { name: 'version', group: 'common', summary: 'Show the version information', load: version },
  { name: 'info', group: 'common', summary: 'Display system-wide information', load: info },
];

const ownCommands: readonly Entry[] = [
  {
    name: 'cluster',
    group: 'netyard',
    summary: 'Manage membership in a cluster',
    children: clusterCommands,
  },
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
    name: 'doctor',
    group: 'netyard',
    summary: 'Check this host for problems with containers and their networks',
    load: async () => (await import('./doctor/command.ts')).doctor,
  },
  {
    name: 'explain',
    group: 'netyard',
    summary: 'Print a shell script that creates the network of a container, a network, or the path to a peer',
    load: async () => (await import('./commands/system.ts')).explain,
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
];

const plainCommands: readonly Entry[] = [
  ...topLevelContainer('attach', 'commit', 'cp', 'create', 'diff'),
  { name: 'events', summary: 'Get real time events from the server', load: events },
  ...topLevelContainer('export'),
  ...topLevelImage('history', 'import'),
  { name: 'inspect', summary: 'Return low-level information on Netyard objects', load: inspect },
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
