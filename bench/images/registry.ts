/** Debian's docker-registry in a host of a lab. */
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { execInHost, findHost } from '@netyard/lab';
import { output } from '../in-lab.ts';

const port = 5000;

export interface BenchRegistry {
  /** ADDRESS:PORT as the other hosts of the lab reach it. */
  address: string;
  /** Removes all images. */
  clear(): void;
  close(): Promise<void>;
}

/** @param folder where the registry stores images; it must exist on the disk of the engines */
export async function startRegistry(host: string, address: string, folder: string): Promise<BenchRegistry> {
  const config = join(folder, 'config.yml');
  const lines = [
    'version: 0.1',
    'log: { level: error, accesslog: { disabled: true } }',
    `storage: { filesystem: { rootdirectory: ${folder}/storage } }`,
    `http: { addr: "${address}:${port}" }`,
  ];
  writeFileSync(config, `${lines.join('\n')}\n`);
  const handle = findHost(host);
  const child = execInHost(handle, ['docker-registry', 'serve', config], {
    ...{ environment: process.env, folder: '/', stdio: ['ignore', 'ignore', 'ignore'] },
  });
  const probe = ['bash', '-c', `exec 3<>/dev/tcp/${address}/${port}`];
  for (let attempt = 0; ; attempt += 1) {
    const failure: unknown = await output(handle, probe).then(
      () => undefined,
      (error: unknown) => error,
    );
    if (failure === undefined) break;
    if (attempt === 200 || child.exitCode !== null) throw new Error('docker-registry does not start');
    await pause(50);
  }
  return {
    address: `${address}:${port}`,
    clear: () => rmSync(join(folder, 'storage'), { recursive: true, force: true }),
    async close() {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    },
  };
}
