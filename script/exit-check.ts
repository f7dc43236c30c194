/**
 * Loaded into each test file by script/test: a file must exit by itself when its tests are over. A file that does not is
 * ended after a timeout and fails, with a list of the resources that keep it alive.
 */
import { after } from 'node:test';
import { isMainThread } from 'node:worker_threads';

const exitTimeoutMs = Number(process.env['NETYARD_TEST_EXIT_TIMEOUT_MS'] ?? 60_000);

function endProcess(): void {
  const alive = process.getActiveResourcesInfo().join(', ');
  process.stderr.write(`the tests are over, and ${process.argv[1] ?? 'the file'} does not end: ${alive}\n`);
  process.exit(1);
}

// The variable is unset in the process that only starts the files. A worker, which has the same preload, ends with its file.
if (isMainThread && process.env['NODE_TEST_CONTEXT'] !== undefined)
  after(() => void setTimeout(endProcess, exitTimeoutMs).unref());
