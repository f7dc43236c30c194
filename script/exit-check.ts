/**
 * Loaded into each test file by script/test: when its tests are over, a file has to end by itself. One that does not is
 * ended after a while, with what still keeps it alive, and fails.
 */
import { after } from 'node:test';

const patienceMs = Number(process.env['NETYARD_TEST_PATIENCE_MS'] ?? 10_000);

function giveUp(): void {
  const alive = process.getActiveResourcesInfo().join(', ');
  process.stderr.write(`the tests are over, and ${process.argv[1] ?? 'the file'} does not end: ${alive}\n`);
  process.exit(1);
}

// Unset in the process that only starts the files.
if (process.env['NODE_TEST_CONTEXT'] !== undefined) after(() => void setTimeout(giveUp, patienceMs).unref());
