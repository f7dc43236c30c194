import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { hasErrno } from './ffi/errno.ts';
import { makeFifo } from './files.ts';
import { openInNetns } from './netns.ts';

test('a FIFO in the place of a pinned namespace is refused at once', (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'netyard-pin-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const pin = join(folder, 'pin');
  makeFifo(pin);
  assert.throws(
    () => openInNetns(pin, () => assert.fail('it ran')),
    (error) => hasErrno(error, 'EINVAL'),
  );
});
