/** A thread that opens files and fails without closing them. */
import { parentPort } from 'node:worker_threads';
import { openFile } from '../../src/logs/thread-files.ts';
import { serveThread } from '../../src/logs/thread-port.ts';

export type LeakCommand = { type: 'open'; count: number } | { type: 'throw' } | { type: 'exit' };

serveThread<LeakCommand, never>(parentPort, (command) => {
  if (command.type === 'throw') throw new Error('an injected fault');
  if (command.type === 'exit') process.exit(3);
  return Array.from({ length: command.count }, () => openFile('/dev/zero', 'r'));
});
