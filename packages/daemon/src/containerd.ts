/** The containerd to use: the one that was given, or the daemon's own. */
import { join } from 'node:path';
import type { Logger } from '@netyard/core';
import {
  type ContainerdClient,
  connectContainerd,
  isIdle,
  type OwnFolders,
  superviseContainerd,
} from '@netyard/runtime';
import type { DaemonConfig } from './config.ts';

export interface OpenContainerd {
  client: ContainerdClient;
  /** Waits until it responds; only for the daemon's own. */
  ready?: (timeoutMs: number) => Promise<void>;
  /** Only with the daemon's own. */
  own?: OwnFolders;
  /** Also ends the daemon's own containerd, if nothing runs in it. */
  close(): Promise<void>;
}

export async function openContainerd(
  config: DaemonConfig,
  logger: Logger,
  env: Readonly<Record<string, string | undefined>>,
): Promise<OpenContainerd> {
  const namespace = config.containerdNamespace;
  if (config.containerd !== '') {
    const client = connectContainerd({ socket: config.containerd, namespace });
    return { client, close: async () => client.close() };
  }
  const supervisor = await superviseContainerd({
    executable: 'containerd',
    root: join(config.dataRoot, 'containerd'),
    state: join(config.execRoot, 'containerd'),
    socket: join(config.execRoot, 'containerd', 'containerd.sock'),
    logger,
    env,
  });
  const client = connectContainerd({ socket: supervisor.socket, namespace });
  return {
    client,
    own: { programs: join(config.dataRoot, 'programs'), mounts: join(config.execRoot, 'programs') },
    ready: (timeoutMs) => supervisor.ready(timeoutMs),
    async close() {
      const idle = await isIdle(client);
      client.close();
      await (idle ? supervisor.stop() : supervisor.detach());
    },
  };
}
