/** The configuration of the containerd that the daemon starts: only what Netyard uses. Pure. */

export interface ContainerdFiles {
  /** Survives a reboot: content and its database. */
  root: string;
  /** Lost at reboot: state of running tasks. */
  state: string;
  socket: string;
}

/** Kubernetes' plugin, unused file systems, and services without clients. Unknown names are ignored. */
const disabledPlugins = [
  'io.containerd.grpc.v1.cri',
  'io.containerd.internal.v1.opt',
  'io.containerd.internal.v1.restart',
  'io.containerd.internal.v1.tracing',
  'io.containerd.tracing.processor.v1.otlp',
  'io.containerd.nri.v1.nri',
  'io.containerd.snapshotter.v1.aufs',
  'io.containerd.snapshotter.v1.btrfs',
  'io.containerd.snapshotter.v1.devmapper',
  'io.containerd.snapshotter.v1.native',
  'io.containerd.snapshotter.v1.zfs',
];

/** TOML, version 2 (containerd 1.5 and later read it; see containerd-config.toml(5)). */
export function containerdConfig(files: ContainerdFiles): string {
  return [
    '# Written by the Netyard daemon at every start; changes are lost.',
    'version = 2',
    `root = ${quote(files.root)}`,
    `state = ${quote(files.state)}`,
    `disabled_plugins = [${disabledPlugins.map(quote).join(', ')}]`,
    '[grpc]',
    `address = ${quote(files.socket)}`,
    '[debug]',
    'level = "warn"',
    '[plugins."io.containerd.monitor.v1.cgroups"]',
    'no_prometheus = true', // metrics are read from the cgroups on request
    '',
  ].join('\n');
}

/** TOML's basic strings escape as JSON's do. */
const quote = (text: string): string => JSON.stringify(text);
