/**
 * Data roots whose database, log or record files were damaged: nothing wrong is accepted, and the state is recovered.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { isNetyardError, newId, silentLogger } from '@netyard/core';
import type { ContainerRecord, ImageRecord, VolumeRecord } from '@netyard/engine';
import type { NetworkRecord } from '@netyard/network';
import type { SandboxConfig, SandboxState } from '@netyard/sandbox';
import { openDataRoot, recoverState, type Store } from '../src/index.ts';

const container = (id: string, name: string, status = 'running'): ContainerRecord =>
  ({ id, name, created: 5n, layers: [], state: { status } }) as unknown as ContainerRecord;
const sandbox = (containerId: string, name: string): SandboxConfig =>
  ({ containerId, name, links: ['b:a'], endpoints: [{ network: 'bridge' }] }) as unknown as SandboxConfig;
const running = (address: string): SandboxState =>
  ({
    id: 's',
    ports: [{ hostPort: 80 }],
    endpoints: [{ networkId: 'n1', addresses: { v4: { address } } }],
  }) as unknown as SandboxState;

let root: string;
let folders: string[];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'netyard-data-root-'));
  folders = [root];
});
afterEach(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

const open = (folder = root): Store => openDataRoot(folder, { logger: silentLogger });

/** Containers with layers, an image, a volume and a network. */
function fill(store: Store, names: readonly string[]): string[] {
  store.putNetwork({ id: 'n1', name: 'bridge' } as NetworkRecord);
  store.putImage({ id: 'sha256:1', tags: ['a:b'], lastTagged: 0n } as ImageRecord);
  store.putVolume({ name: 'data', labels: { a: 'b' } } as unknown as VolumeRecord);
  return names.map((name, index) => {
    const id = newId();
    mkdirSync(join(root, 'overlay', 'containers', id), { recursive: true });
    store.putContainer(container(id, name));
    store.transaction(() => {
      store.putSandbox(sandbox(id, name), running(`172.17.0.${index + 2}`));
      store.putLink({ parentId: id, alias: 'a', childId: 'x' });
      store.putLease('n1', `172.17.0.${index + 2}`, id);
    });
    return id;
  });
}

/** Waits for the record files of all containers of `fill`: they follow the database a moment later. */
async function filesWritten(): Promise<void> {
  const folder = join(root, 'records/containers');
  const isWritten = (name: string): boolean =>
    name.endsWith('.json') && readFileSync(join(folder, name), 'utf8').includes('"sandboxes"');
  while (!readdirSync(folder).every(isWritten)) await pause(2);
}

/** The disk's content at this moment, as a killed daemon leaves it. */
function killed(): string {
  const copy = mkdtempSync(join(tmpdir(), 'netyard-data-root-'));
  folders.push(copy);
  cpSync(root, copy, { recursive: true });
  return copy;
}

const contentOf = (store: Store): unknown => ({
  containers: store.containers().sort((a, b) => a.name.localeCompare(b.name)),
  sandboxes: store.sandboxes().sort((a, b) => a.config.name.localeCompare(b.config.name)),
  links: store.links().length,
  leases: store.leases('n1'),
  images: store.images(),
  volumes: store.volumes(),
  networks: store.networks(),
});

const refusal = (error: unknown): boolean =>
  isNetyardError(error, 'conflict') && /netyard system recover --data-root/.test(error.hint ?? '');

const damages: Record<string, (folder: string, old: string) => void> = {
  'the database removed': (folder) => rmSync(join(folder, 'netyard.db')),
  'the database and its log removed': (folder) => {
    rmSync(join(folder, 'netyard.db'));
    rmSync(join(folder, 'netyard.db-wal'));
  },
  'the database emptied': (folder) => {
    writeFileSync(join(folder, 'netyard.db'), '');
    writeFileSync(join(folder, 'netyard.db-wal'), '');
  },
  'the log removed': (folder) => rmSync(join(folder, 'netyard.db-wal')),
  'the log cut in the middle': (folder) => {
    const path = join(folder, 'netyard.db-wal');
    truncateSync(path, 32 + 3 * (24 + 4096) + 100); // its header, three pages and a part of one
  },
  'the database replaced by an older copy': (folder, old) => {
    rmSync(join(folder, 'netyard.db-wal'), { force: true });
    copyFileSync(join(old, 'netyard.db'), join(folder, 'netyard.db'));
    if (existsSync(join(old, 'netyard.db-wal')))
      copyFileSync(join(old, 'netyard.db-wal'), join(folder, 'netyard.db-wal'));
  },
  'the database overwritten': (folder) => {
    const path = join(folder, 'netyard.db');
    writeFileSync(path, Buffer.alloc(statSync(path).size, 0x5a));
  },
  'a text in the database overwritten': (folder) => {
    const path = join(folder, 'netyard.db');
    const database = new DatabaseSync(path);
    database.exec("UPDATE containers SET record = substr(record, 1, 20) || char(7) WHERE name = 'two'");
    database.close();
  },
  'the database of another daemon': (folder) => {
    const other = mkdtempSync(join(tmpdir(), 'netyard-data-root-'));
    folders.push(other);
    const store = open(other);
    for (let at = 0; at < 200; at += 1) store.putCursor('n', 'v4', String(at));
    store.close();
    rmSync(join(folder, 'netyard.db-wal'), { force: true });
    copyFileSync(join(other, 'netyard.db'), join(folder, 'netyard.db'));
  },
};

describe('a damaged database is rejected, and recovered with everything that was in it', () => {
  for (const [name, damage] of Object.entries(damages)) {
    test(name, async () => {
      const store = open();
      fill(store, ['one']);
      const old = killed();
      fill(store, ['two', 'three']);
      await filesWritten();
      const expected = contentOf(store);
      const folder = killed();
      store.close();
      damage(folder, old);
      assert.throws(() => open(folder), refusal);
      assert.throws(() => open(folder), refusal, 'inspecting it changes nothing');
      const dry = recoverState(folder, { dryRun: true });
      assert.ok(dry.needed);
      assert.throws(() => open(folder), refusal, 'a dry run changes nothing');
      const report = recoverState(folder);
      assert.match(report.lines.join('\n'), /3 containers, 1 image, 1 volume, 1 network, /);
      const recovered = open(folder);
      assert.deepEqual(contentOf(recovered), expected);
      recovered.close();
      assert.equal(recoverState(folder).needed, false);
    });
  }
});

test('an older database without any record file is rejected, and no layer is lost', () => {
  const store = open();
  fill(store, ['one']);
  const old = killed();
  const [later = ''] = fill(store, ['later']);
  const folder = killed();
  store.close();
  damages['the database replaced by an older copy']?.(folder, old);
  rmSync(join(folder, 'records'), { recursive: true });
  const layers = readdirSync(join(folder, 'overlay/containers')).sort();
  assert.throws(() => open(folder), refusal);
  assert.throws(() => open(folder), /older than the containers' records \(transaction \d+ of \d+\)/);
  assert.match(
    recoverState(folder).lines.join('\n'),
    new RegExp(`container ${later}: its record is lost; its files are kept`),
  );
  open(folder).close();
  assert.deepEqual(readdirSync(join(folder, 'overlay/containers')).sort(), layers);
});

test('images whose records are lost are listed from the content store, with the names that containers use for them', () => {
  const digest = (text: string): string => createHash('sha256').update(text).digest('hex');
  const diffIds = ['one', 'two'].map((text) => `sha256:${digest(text)}`);
  const config = JSON.stringify({ created: '2026-01-02T03:04:05Z', rootfs: { type: 'layers', diff_ids: diffIds } });
  const id = `sha256:${digest(config)}`;
  const store = open();
  const [used = ''] = fill(store, ['one']);
  store.putContainer({ ...container(used, 'one'), imageId: id, config: { image: 'web:1' } } as ContainerRecord);
  store.close();
  const blobs = join(root, 'containerd/io.containerd.content.v1.content/blobs/sha256');
  mkdirSync(blobs, { recursive: true });
  writeFileSync(join(blobs, digest(config)), config);
  writeFileSync(join(blobs, digest('one')), 'one');
  writeFileSync(join(blobs, digest('{')), '{');
  mkdirSync(join(root, 'overlay/layers', digest('one')), { recursive: true });
  mkdirSync(join(root, 'overlay/layers', digest(diffIds.join(' '))), { recursive: true });
  for (const path of ['netyard.db', 'netyard.db-wal', 'records/images'])
    rmSync(join(root, path), { recursive: true, force: true });
  const report = recoverState(root).lines.join('\n');
  assert.match(report, new RegExp(`image ${id} of 2026-01-02T03:04:05Z: its record is lost.*2 of its 2 layers exist`));
  assert.match(report, /containers call it web:1$/m);
  assert.equal(report.match(/^image /gm)?.length, 1);
  open().close();
});

test('a data root of a Netyard without the copy of the marker is used, and gets the copy', () => {
  const store = open();
  fill(store, ['one']);
  store.close();
  const copy = join(root, 'overlay/generation');
  const marker = readFileSync(join(root, 'records/generation'), 'utf8');
  rmSync(copy);
  open().close();
  assert.equal(readFileSync(copy, 'utf8').split(' ')[0], marker.split(' ')[0]);
});

test('a killed daemon’s data root can be used repeatedly', () => {
  let store = open();
  fill(store, ['one']);
  const expected = contentOf(store);
  for (let times = 0; times < 3; times += 1) {
    const folder = killed();
    store.close();
    root = folder;
    store = open();
    assert.deepEqual(contentOf(store), expected);
  }
  store.close();
});

test('a removed container does not come back, and its record file is deleted', () => {
  const store = open();
  const [one = '', two = ''] = fill(store, ['one', 'two']);
  const old = killed();
  rmSync(join(root, 'overlay', 'containers', one), { recursive: true });
  store.deleteContainer(one);
  store.deleteSandbox(one);
  store.deleteLink({ parentId: one, alias: 'a', childId: 'x' });
  assert.deepEqual(readdirSync(join(root, 'records/containers')), [`${two}.json`]);
  store.close();
  damages['the database replaced by an older copy']?.(root, old);
  assert.throws(() => open(), refusal);
  recoverState(root);
  const recovered = open();
  assert.deepEqual(
    recovered.containers().map(({ name }) => name),
    ['two'],
  );
  recovered.close();
});

test('a damaged record file loses only its own container, and nothing while the database is intact', () => {
  const store = open();
  const [one = '', two = ''] = fill(store, ['one', 'two']);
  store.close();
  const path = join(root, 'records/containers', `${one}.json`);
  writeFileSync(path, readFileSync(path, 'utf8').replace('running', 'runninG'));
  const healthy = open();
  assert.equal(healthy.containers().length, 2);
  healthy.close();
  assert.match(readFileSync(path, 'utf8'), /running/, 'written anew');
  writeFileSync(path, '{');
  rmSync(join(root, 'netyard.db'));
  const { lines } = recoverState(root);
  assert.match(lines.join('\n'), new RegExp(`container ${one}: its record file .* is damaged`));
  assert.match(lines.join('\n'), new RegExp(`container ${one}: its record is lost; its files are kept in`));
  const recovered = open();
  assert.deepEqual(
    recovered.containers().map(({ id }) => id),
    [two],
  );
  recovered.close();
  assert.ok(existsSync(join(root, 'overlay/containers', one)));
});

test('of two record files with the same name, the newer one keeps it', () => {
  const store = open();
  const [one = '', two = ''] = fill(store, ['one', 'two']);
  store.close();
  const path = (id: string): string => join(root, 'records/containers', `${id}.json`);
  const other = killed();
  const renamed = open(other);
  renamed.deleteContainer(one);
  renamed.putContainer(container(two, 'one'));
  renamed.close();
  copyFileSync(join(other, 'records/containers', `${two}.json`), path(two));
  rmSync(join(root, 'netyard.db'));
  const { lines } = recoverState(root);
  assert.match(
    lines.join('\n'),
    new RegExp(`container ${one}: its name one is used by another container; it is now one-${one.slice(0, 12)}`),
  );
  const recovered = open();
  const names = Object.fromEntries(recovered.containers().map(({ id, name }) => [id, name]));
  assert.deepEqual(names, { [one]: `one-${one.slice(0, 12)}`, [two]: 'one' });
  recovered.close();
});

test('after a power failure the record files restore what the log had not synced', async () => {
  const store = open();
  fill(store, ['one']);
  const old = killed();
  fill(store, ['two']);
  await filesWritten();
  const expected = contentOf(store);
  const folder = killed();
  store.close();
  damages['the database replaced by an older copy']?.(folder, old);
  const marker = join(folder, 'records/generation');
  writeFileSync(marker, readFileSync(marker, 'utf8').replace(/\S+$/m, '00000000-0000-0000-0000-000000000000'));
  const started = open(folder);
  assert.deepEqual(contentOf(started), expected);
  started.close();
});

test('a verified backup copy is made, and used when the database and a record file are lost', async () => {
  const store = openDataRoot(root, { logger: silentLogger, backupEveryMs: 20 });
  const [one = ''] = fill(store, ['one', 'two']);
  const path = join(root, 'netyard.db.backup');
  while (!existsSync(`${path}.1`)) await pause(20);
  await store.close();
  writeFileSync(join(root, 'netyard.db'), 'garbage'.repeat(2000));
  writeFileSync(join(root, 'records/containers', `${one}.json`), '');
  const { lines } = recoverState(root);
  assert.match(lines.join('\n'), /starts from the backup copy/);
  const recovered = open();
  assert.equal(recovered.containers().length, 2);
  recovered.close();
  assert.ok(
    readdirSync(root).some((name) => name.startsWith('netyard.db.aside-')),
    'the damaged file is renamed',
  );
});

test('a store closed during a backup deletes the partial copy and logs nothing', async () => {
  const logged: unknown[] = [];
  const log = (...line: unknown[]): void => void logged.push(line);
  const logger = { ...silentLogger, warn: log, error: log };
  for (let round = 0; round < 20; round += 1) {
    const folder = mkdtempSync(join(tmpdir(), 'netyard-data-root-'));
    const store = openDataRoot(folder, { logger, backupEveryMs: 1 });
    const draft = join(folder, 'netyard.db.backup.new');
    while (!existsSync(draft)) await pause(0);
    await store.close();
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.includes('.new')),
      [],
    );
    rmSync(folder, { recursive: true });
  }
  await pause(20);
  assert.deepEqual(logged, []);
});

test('work that an older database lists as unfinished counts as finished when all generations are lost, too', () => {
  const store = open();
  fill(store, ['one']);
  const id = newId();
  store.putUnfinishedContainer(container(id, 'two', 'removing'));
  store.putContentIntent('layer sha256:2');
  const older = killed();
  store.putContainer(container(id, 'two', 'created'));
  store.putImage({ id: 'sha256:2', tags: [], lastTagged: 0n } as unknown as ImageRecord);
  store.deleteContentIntent('layer sha256:2');
  const interrupted = newId();
  store.putUnfinishedContainer(container(interrupted, 'three', 'removing'));
  store.putContentIntent('layer sha256:3');
  const folder = killed();
  store.close();

  const current = open(folder);
  assert.deepEqual(current.contentIntents(), ['layer sha256:3']);
  assert.deepEqual([id, interrupted].map(current.isUnfinishedContainer), [false, true]);
  current.close();

  damages['the database replaced by an older copy']?.(folder, older);
  rmSync(join(folder, 'records'), { recursive: true });
  rmSync(join(folder, 'overlay/generation'));
  const mistaken = open(folder);
  assert.equal(mistaken.containers().find((record) => record.id === id)?.state.status, 'removing');
  assert.equal(mistaken.isUnfinishedContainer(id), false);
  assert.deepEqual(mistaken.contentIntents(), []);
  mistaken.close();
});
