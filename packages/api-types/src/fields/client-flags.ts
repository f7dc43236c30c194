/** Flags that fill no field of a request body: the client's own, and those of the query. */
import { boolFlag, creating, stringFlag } from './flags.ts';
import type { FlagCommand, FlagFacts, Status } from './shape.ts';

export interface ClientFlag extends FlagFacts {
  readonly status?: Status;
  readonly remark?: string;
}

const running: readonly FlagCommand[] = ['run'];

export const clientFlags: readonly ClientFlag[] = [
  stringFlag('name', 'Assign a name to the container'),
  { ...stringFlag('platform', 'Set platform if server is multi-platform capable'), remark: 'linux/ARCH of an image' },
  {
    ...stringFlag('pull', 'Pull image before creating ("always", "missing", "never")', {
      default: 'missing',
      complete: ['always', 'missing', 'never'],
      on: ['create'],
    }),
  },
  stringFlag('pull', 'Pull image before running ("always", "missing", "never")', {
    default: 'missing',
    complete: ['always', 'missing', 'never'],
    on: running,
  }),
  boolFlag('quiet', 'Suppress the pull output', { short: 'q' }),
  boolFlag('detach', 'Run container in background and print container ID', { short: 'd', on: running }),
  stringFlag('detach-keys', 'Override the key sequence for detaching a container', { on: running }),
  {
    ...boolFlag('use-api-socket', 'Bind mount Docker API socket and required auth', { dockerOnly: true }),
    remark: 'the docker command mounts the socket of its own context',
  },
  boolFlag('dry-run', 'Print the network operations as shell commands, without running them', {
    on: ['run', 'network create', 'network connect'],
  }),
  boolFlag('sig-proxy', 'Proxy received signals to the process', { default: 'true', on: running }),
  {
    ...boolFlag('disable-content-trust', 'Skip image verification', { default: 'true', hidden: true, on: creating }),
    status: { ignored: 'image signatures are not verified' },
  },
];
