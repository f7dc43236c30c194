/** Commands of containers, images and volumes. */
import type { Entry } from '../program/spec.ts';

const lifecycle = () => import('../commands/lifecycle.ts');
const attach = () => import('../commands/attach.ts');
const files = () => import('../commands/files.ts');
const images = () => import('../commands/images.ts');
const archives = () => import('../commands/archives.ts');
const registry = () => import('../commands/registry.ts');
const volumes = () => import('../commands/volumes.ts');
const inspect = () => import('../commands/inspect.ts');
const prune = () => import('../commands/prune.ts');

export const containerCommands: readonly Entry[] = [
  {
    name: 'attach',
    summary: 'Attach local standard input, output, and error streams to a running container',
    load: async () => (await attach()).attach,
  },
  {
    name: 'commit',
    summary: "Create a new image from a container's changes",
    load: async () => (await import('../commands/commit.ts')).commit,
  },
  {
    name: 'cp',
    summary: 'Copy files/folders between a container and the local filesystem',
    load: async () => (await import('../commands/cp.ts')).cp,
  },
  {
    name: 'create',
    summary: 'Create a new container',
    load: async () => (await import('../commands/create.ts')).create,
  },
  {
    name: 'diff',
    summary: "Inspect changes to files or directories on a container's filesystem",
    load: async () => (await files()).diff,
  },
  {
    name: 'exec',
    summary: 'Execute a command in a running container',
    load: async () => (await import('../commands/exec.ts')).exec,
  },
  {
    name: 'export',
    summary: "Export a container's filesystem as a tar archive",
    load: async () => (await files()).exportContainer,
  },
  {
    name: 'inspect',
    summary: 'Display detailed information on one or more containers',
    load: async () => (await inspect()).containerInspect,
  },
  { name: 'kill', summary: 'Kill one or more running containers', load: async () => (await lifecycle()).kill },
  {
    name: 'logs',
    summary: 'Fetch the logs of a container',
    load: async () => (await import('../commands/logs.ts')).logs,
  },
  {
    name: 'ls',
    aliases: ['list', 'ps'],
    summary: 'List containers',
    load: async () => (await import('../commands/ps.ts')).ps,
  },
  {
    name: 'pause',
    summary: 'Pause all processes within one or more containers',
    load: async () => (await lifecycle()).pause,
  },
  {
    name: 'port',
    summary: 'List port mappings or a specific mapping for the container',
    load: async () => (await import('../commands/port.ts')).port,
  },
  { name: 'prune', summary: 'Remove all stopped containers', load: async () => (await prune()).containerPrune },
  { name: 'rename', summary: 'Rename a container', load: async () => (await lifecycle()).rename },
  { name: 'restart', summary: 'Restart one or more containers', load: async () => (await lifecycle()).restart },
  {
    name: 'rm',
    aliases: ['remove'],
    summary: 'Remove one or more containers',
    load: async () => (await lifecycle()).rm,
  },
  {
    name: 'run',
    summary: 'Create and run a new container from an image',
    load: async () => (await import('../commands/run.ts')).run,
  },
  { name: 'start', summary: 'Start one or more stopped containers', load: async () => (await attach()).start },
  {
    name: 'stats',
    summary: 'Display a live stream of container(s) resource usage statistics',
    load: async () => (await import('../commands/stats.ts')).stats,
  },
  { name: 'stop', summary: 'Stop one or more running containers', load: async () => (await lifecycle()).stop },
  {
    name: 'top',
    summary: 'Display the running processes of a container',
    load: async () => (await import('../commands/top.ts')).top,
  },
  {
    name: 'unpause',
    summary: 'Unpause all processes within one or more containers',
    load: async () => (await lifecycle()).unpause,
  },
  {
    name: 'update',
    summary: 'Update configuration of one or more containers',
    load: async () => (await import('../commands/update.ts')).update,
  },
  {
    name: 'wait',
    summary: 'Block until one or more containers stop, then print their exit codes',
    load: async () => (await lifecycle()).wait,
  },
];

export const imageCommands: readonly Entry[] = [
  { name: 'history', summary: 'Show the history of an image', load: async () => (await images()).history },
  {
    name: 'import',
    summary: 'Import the contents from a tarball to create a filesystem image',
    load: async () => (await archives()).importImage,
  },
  {
    name: 'inspect',
    summary: 'Display detailed information on one or more images',
    load: async () => (await inspect()).imageInspect,
  },
  { name: 'load', summary: 'Load an image from a tar archive or STDIN', load: async () => (await archives()).load },
  { name: 'ls', aliases: ['list'], summary: 'List images', load: async () => (await images()).images },
  { name: 'prune', summary: 'Remove unused images', load: async () => (await prune()).imagePrune },
  { name: 'pull', summary: 'Download an image from a registry', load: async () => (await registry()).pull },
  { name: 'push', summary: 'Upload an image to a registry', load: async () => (await registry()).push },
  { name: 'rm', aliases: ['remove'], summary: 'Remove one or more images', load: async () => (await images()).rmi },
  {
    name: 'save',
    summary: 'Save one or more images to a tar archive (streamed to STDOUT by default)',
    load: async () => (await archives()).save,
  },
  {
    name: 'tag',
    summary: 'Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE',
    load: async () => (await images()).tag,
  },
];

export const volumeCommands: readonly Entry[] = [
  { name: 'create', summary: 'Create a volume', load: async () => (await volumes()).volumeCreate },
  {
    name: 'inspect',
    summary: 'Display detailed information on one or more volumes',
    load: async () => (await inspect()).volumeInspect,
  },
  { name: 'ls', aliases: ['list'], summary: 'List volumes', load: async () => (await volumes()).volumeLs },
  { name: 'prune', summary: 'Remove unused local volumes', load: async () => (await prune()).volumePrune },
  {
    name: 'rm',
    aliases: ['remove'],
    summary: 'Remove one or more volumes',
    load: async () => (await volumes()).volumeRm,
  },
];
