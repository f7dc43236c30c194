/** A process that holds an object of the kernel and is killed: nothing of it may stay. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';

/**
 * Runs a module that opens BPF objects, and kills it with SIGKILL while it holds them.
 * @param module TypeScript; may import this repository's packages
 */
export async function killBpfHolder(module: string): Promise<void> {
  const script = `${module}; console.log('open'); setInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    ...{ stdio: ['ignore', 'pipe', 'inherit'], cwd: import.meta.dirname },
  });
  assert.ok(child.stdout);
  await once(child.stdout, 'data');
  const folder = `/proc/${child.pid}/fd`;
  assert.ok(readdirSync(folder).some((fd) => readlinkSync(`${folder}/${fd}`).includes('bpf')));
  child.kill('SIGKILL');
  await once(child, 'close');
}
