/** Body of POST /volumes/create. */
import { bytesFlag, listFlag, mapFlag, stringFlag } from './flags.ts';
import { anything, type FlagCommand, map, none, text, zero } from './shape.ts';

const on = { on: ['volume create'] as readonly FlagCommand[] };
const cluster = { ...on, dockerOnly: true } as const;

export const volumeCreate = {
  Name: zero(text, { flags: [stringFlag('name', 'Specify volume name', { ...on, hidden: true })] }),
  Driver: zero(text, {
    flags: [stringFlag('driver', 'Specify volume driver name', { ...on, short: 'd', default: 'local' })],
    remark: 'local',
  }),
  DriverOpts: zero(map(text), {
    flags: [mapFlag('opt', 'Set driver specific options', { ...on, short: 'o' })],
    remark: 'type, device, o',
  }),
  Labels: zero(map(text), { flags: [listFlag('label', 'Set metadata for a volume', on)] }),
  ClusterVolumeSpec: none(anything, {
    since: 42,
    flags: [
      stringFlag('availability', 'Cluster Volume availability ("active", "pause", "drain")', {
        ...cluster,
        default: 'active',
      }),
      stringFlag('group', 'Cluster Volume group (cluster volumes)', cluster),
      bytesFlag('limit-bytes', 'Minimum size of the Cluster Volume in bytes', cluster),
      bytesFlag('required-bytes', 'Maximum size of the Cluster Volume in bytes', cluster),
      stringFlag('scope', 'Cluster Volume access scope ("single", "multi")', { ...cluster, default: 'single' }),
      mapFlag('secret', 'Cluster Volume secrets', cluster),
      stringFlag('sharing', 'Cluster Volume access sharing ("none", "readonly", "onewriter", "all")', {
        ...cluster,
        default: 'none',
      }),
      listFlag('topology-preferred', 'A topology that the Cluster Volume would be preferred in', cluster),
      listFlag('topology-required', 'A topology that the Cluster Volume must be accessible from', cluster),
      stringFlag('type', 'Cluster Volume access type ("mount", "block")', { ...cluster, default: 'block' }),
    ],
    status: {
      rejected:
        'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
      code: 'unavailable',
      hint: 'Netyard has no cluster volumes',
    },
  }),
} as const;
