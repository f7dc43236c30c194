/** Debian's docker-registry for tests, on loopback of the test's own network namespace. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface PrivateRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  host: string;
  folder: string;
}

/** @param htpasswd if given, only its users are admitted */
export async function startRegistry(port: number, htpasswd?: string): Promise<PrivateRegistry> {
  const folder = mkdtempSync(join(tmpdir(), 'netyard-registry-'));
  const config = join(folder, 'config.yml');
  const auth =
    htpasswd === undefined ? [] : ['auth:', '  htpasswd:', '    realm: test', `    path: ${folder}/htpasswd`];
  if (htpasswd !== undefined) writeFileSync(join(folder, 'htpasswd'), htpasswd);
  const lines = [
    'version: 0.1',
    'log: { level: error, accesslog: { disabled: true } }',
    `storage: { filesystem: { rootdirectory: ${folder}/storage }, delete: { enabled: true } }`,
    `http: { addr: "127.0.0.1:${port}" }`,
    ...auth,
  ];
  writeFileSync(config, `${lines.join('\n')}\n`);
  const process = spawn('docker-registry', ['serve', config], { stdio: 'ignore' });
  while (!(await answers(port))) {
    if (process.exitCode !== null) throw new Error('docker-registry does not start');
    await sleep(20);
  }
  return {
    host: `127.0.0.1:${port}`,
    folder,
    async [Symbol.asyncDispose]() {
      const ended = once(process, 'exit');
      process.kill('SIGTERM');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
