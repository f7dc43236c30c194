/** Body of POST /volumes/create. */
import { bytesFlag, listFlag, mapFlag, stringFlag } from './flags.ts';
import { anything, type FlagCommand, map, none, text, zero } from './shape.ts';

const on = { on: ['volume create'] as readonly FlagCommand[] };

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
        ...on,
        default: 'active',
      }),
      stringFlag('group', 'Cluster Volume group (cluster volumes)', on),
      bytesFlag('limit-bytes', 'Minimum size of the Cluster Volume in bytes', on),
      bytesFlag('required-bytes', 'Maximum size of the Cluster Volume in bytes', on),
      stringFlag('scope', 'Cluster Volume access scope ("single", "multi")', { ...on, default: 'single' }),
      mapFlag('secret', 'Cluster Volume secrets', on),
      stringFlag('sharing', 'Cluster Volume access sharing ("none", "readonly", "onewriter", "all")', {
        ...on,
        default: 'none',
      }),
      listFlag('topology-preferred', 'A topology that the Cluster Volume would be preferred in', on),
      listFlag('topology-required', 'A topology that the Cluster Volume must be accessible from', on),
      stringFlag('type', 'Cluster Volume access type ("mount", "block")', { ...on, default: 'block' }),
    ],
    status: {
      rejected:
        'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
      code: 'unavailable',
      hint: 'Netyard has no cluster volumes',
    },
  }),
} as const;
