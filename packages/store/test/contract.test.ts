import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { openStore } from '../src/index.ts';
import { describeStore } from './contract.ts';

const folder = mkdtempSync(join(tmpdir(), 'netyard-store-contract-'));
after(() => rmSync(folder, { recursive: true }));

let files = 0;
describeStore('SQLite in memory', () => openStore(':memory:'));
describeStore('SQLite in a file', () => {
  files += 1;
  return openStore(join(folder, `${files}.db`));
});
