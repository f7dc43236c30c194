/**
 * The collecting thread with a fault: it throws, outside of any command, when the file named by the environment
 * appears.
 */
import { existsSync, rmSync } from 'node:fs';
import { env } from 'node:process';
import '../../src/logs/capture-thread.ts';

const fault = env['NETYARD_TEST_CAPTURE_FAULT'] ?? '/nowhere';

setInterval(() => {
  if (!existsSync(fault)) return;
  rmSync(fault);
  throw new Error('an injected fault');
}, 1);
