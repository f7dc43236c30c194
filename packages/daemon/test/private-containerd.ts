/** A private containerd for tests: everything below one temporary directory. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ContainerdClient, connectContainerd } from '@netyard/runtime';

export interface PrivateContainerd extends AsyncDisposable {
  folder: string;
  socket: string;
  client: ContainerdClient;
}

/** Starts it and waits until it responds. */
export async function startContainerd(): Promise<PrivateContainerd> {
  const folder = mkdtempSync(join(tmpdir(), 'netyard-containerd-'));
  const socket = join(folder, 'containerd.sock');
  const config = join(folder, 'config.toml');
  writeFileSync(
    config,
    [
      'version = 2',
      `root = "${folder}/root"`,
      `state = "${folder}/state"`,
      'disabled_plugins = ["io.containerd.grpc.v1.cri"]',
      `[grpc]\naddress = "${socket}"`,
    ].join('\n'),
  );
  const process = spawn('containerd', ['--config', config, '--log-level', 'error'], { stdio: 'ignore' });
  const client = connectContainerd({ socket, namespace: 'netyard-test' });
  await untilAnswers(client, process);
  return {
    folder,
    socket,
    client,
    async [Symbol.asyncDispose]() {
      client.close();
      const ended = once(process, 'exit');
      process.kill('SIGTERM');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function untilAnswers(client: ContainerdClient, process: ChildProcess): Promise<void> {
  for (;;) {
    try {
      await client.version.version({});
      return;
    } catch (error) {
      if (process.exitCode !== null) throw error;
      await sleep(20);
    }
  }
}
