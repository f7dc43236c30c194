/** Commands of networks, of hosts connected to each other (peers, clusters), and of network namespaces. */
import type { Entry } from '../program/spec.ts';

const inspect = () => import('../commands/inspect.ts');
const networks = () => import('../commands/networks.ts');
const cluster = () => import('../commands/cluster.ts');
const peers = () => import('../commands/peers.ts');
const namespaces = () => import('../ns/commands.ts');
const links = () => import('../ns/link-commands.ts');

export const networkCommands: readonly Entry[] = [
  { name: 'connect', summary: 'Connect a container to a network', load: async () => (await networks()).networkConnect },
  { name: 'create', summary: 'Create a network', load: async () => (await networks()).networkCreate },
  {
    name: 'disconnect',
    summary: 'Disconnect a container from a network',
    load: async () => (await networks()).networkDisconnect,
  },
  {
    name: 'inspect',
    summary: 'Display detailed information on one or more networks',
    load: async () => (await inspect()).networkInspect,
  },
  { name: 'ls', aliases: ['list'], summary: 'List networks', load: async () => (await networks()).networkLs },
  {
    name: 'prune',
    summary: 'Remove all unused networks',
    load: async () => (await import('../commands/prune.ts')).networkPrune,
  },
  {
    name: 'rm',
    aliases: ['remove'],
    summary: 'Remove one or more networks',
    load: async () => (await networks()).networkRm,
  },
];

export const clusterCommands: readonly Entry[] = [
  {
    name: 'leave',
    summary: 'Remove this host from its cluster and release its subnet',
    load: async () => (await cluster()).clusterLeave,
  },
  {
    name: 'ls',
    aliases: ['list'],
    summary: 'List the hosts of the cluster',
    load: async () => (await cluster()).clusterLs,
  },
  {
    name: 'release',
    summary: 'Release the subnets reserved for one or more former members',
    load: async () => (await cluster()).clusterRelease,
  },
];

export const peerCommands: readonly Entry[] = [
  { name: 'add', summary: 'Add a peer', load: async () => (await peers()).peerAdd },
  {
    name: 'inspect',
    summary: 'Display detailed information on one or more peers',
    load: async () => (await inspect()).peerInspect,
  },
  { name: 'ls', aliases: ['list'], summary: 'List peers', load: async () => (await peers()).peerLs },
  { name: 'rm', aliases: ['remove'], summary: 'Remove one or more peers', load: async () => (await peers()).peerRm },
];

export const nsCommands: readonly Entry[] = [
  { name: 'add', summary: 'Create network namespaces', load: async () => (await namespaces()).nsAdd },
  { name: 'addr', summary: 'Add addresses to an interface', load: async () => (await links()).nsAddr },
  { name: 'exec', summary: 'Run a command in a namespace', load: async () => (await import('../ns/exec.ts')).nsExec },
  {
    name: 'link',
    summary: 'Connect two namespaces with a veth pair: created, named, addressed and up',
    load: async () => (await links()).nsLink,
  },
  { name: 'ls', aliases: ['list'], summary: 'List network namespaces', load: async () => (await namespaces()).nsLs },
  { name: 'move', summary: 'Move an interface to another namespace', load: async () => (await links()).nsMove },
  { name: 'rename', summary: 'Rename an interface', load: async () => (await links()).nsRename },
  {
    name: 'rm',
    aliases: ['delete', 'remove'],
    summary: 'Delete network namespaces',
    load: async () => (await namespaces()).nsRm,
  },
  { name: 'up', summary: 'Set an interface up, optionally with addresses', load: async () => (await links()).nsUp },
  { name: 'veth', summary: 'Create a pair of virtual Ethernet devices', load: async () => (await links()).nsVeth },
];
