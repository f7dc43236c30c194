/** An engine on fakes in a temporary directory, which can be "killed" and reopened on the same state. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger, systemClock } from '@netyard/core';
import { makeFifo, openFifo } from '@netyard/kernel';
import { openEngine } from '../../src/engine.ts';
import type {
  ContainerConfig,
  ContainerRecord,
  Engine,
  EngineEvent,
  EngineSettings,
  ImageRecord,
  Images,
} from '../../src/index.ts';
import { configOf } from './container-config.ts';
import { fakeImage, fakeImages } from './images.ts';
import { FakeMounts } from './mounts.ts';
import { FakeNetworks } from './networks.ts';
import { FakeRootfs } from './rootfs.ts';
import { FakeRuntime } from './runtime.ts';
import { FakeStore } from './stores.ts';
import { unexpected } from './unexpected.ts';

export interface Harness {
  directory: string;
  store: FakeStore;
  runtime: FakeRuntime;
  rootfs: FakeRootfs;
  networks: FakeNetworks;
  mounts: FakeMounts;
  settings: EngineSettings;
  events: EngineEvent[];
  engine: Engine;
  image: ImageRecord;
  /** Simulates a kill and restart of the daemon: a new engine on the same state. */
  restart(): Promise<void>;
  run(change?: Partial<ContainerConfig>, name?: string): Promise<string>;
  state(id: string): ContainerRecord['state'];
  close(): Promise<void>;
}

export async function openHarness(
  image = fakeImage(),
  more: { captureEntry?: URL; commit?: Images['commit'] } = {},
): Promise<Harness> {
  const directory = mkdtempSync(join(tmpdir(), 'netyard-engine-'));
  const settings: EngineSettings = {
    dataRoot: join(directory, 'data'),
    execRoot: join(directory, 'exec'),
    cgroupParent: '/netyard',
    cgroupVersion: '1',
    logDriver: 'json-file',
    logOptions: {},
    stopTimeoutSeconds: 10,
    shmSize: 64 * 1024 * 1024,
    storageDriver: 'overlay2',
  };
  const captureEntry = more.captureEntry ? { captureEntry: more.captureEntry } : {};
  const parts = {
    store: new FakeStore(),
    runtime: new FakeRuntime(),
    rootfs: new FakeRootfs(join(directory, 'rootfs')),
    networks: new FakeNetworks(),
    mounts: new FakeMounts(),
  };
  const abandoned: Engine[] = [];
  const events: EngineEvent[] = [];
  const open = (): Engine => {
    const engine = openEngine({
      ...parts,
      ...captureEntry,
      settings,
      networks: (containers) => parts.networks.build(containers),
      images: () => ({ ...fakeImages(image), ...(more.commit ? { commit: more.commit } : {}) }),
      builder: { open: unexpected('open'), removeLeftovers: async () => undefined },
      files: { makeFifo, openFifo },
      mounts: parts.mounts,
      linkStatistics: unexpected('linkStatistics'),
      logger: silentLogger,
      clock: systemClock,
    });
    abandoned.push(engine);
    void listen(engine, events);
    return engine;
  };
  const harness: Harness = {
    directory,
    settings,
    events,
    image,
    ...parts,
    engine: open(),
    async restart() {
      await harness.engine.stop({ stopContainers: false });
      harness.engine = open();
      await harness.engine.start();
    },
    async run(change = {}, name) {
      const { id } = await harness.engine.containers.create({ name, config: configOf(change) });
      await harness.engine.containers.start(id);
      return id;
    },
    state(id) {
      const record = parts.store.records.get(id);
      assert.ok(record);
      return record.state;
    },
    async close() {
      for (const engine of abandoned) await engine.stop({ stopContainers: false });
      rmSync(directory, { recursive: true, force: true });
    },
  };
  await harness.engine.start();
  return harness;
}

async function listen(engine: Engine, events: EngineEvent[]): Promise<void> {
  const { signal } = new AbortController();
  const filters = new Map<string, string[]>();
  for await (const event of engine.events.subscribe({ since: undefined, until: undefined, filters, signal }))
    events.push(event);
}

/** Waits for a condition; the test runner's timeout is the limit. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

export async function text(output: AsyncIterable<{ data: Uint8Array }>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const { data } of output) chunks.push(Buffer.from(data)); // a chunk is valid until the next one
  return Buffer.concat(chunks).toString();
}

/** What `docker logs` prints of a stream of frames. */
export async function unframed(output: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of output) chunks.push(Buffer.from(chunk));
  return unframe(Buffer.concat(chunks));
}

export function unframe(bytes: Buffer): string {
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const end = at + 8 + bytes.readUInt32BE(at + 4);
    text += bytes.toString('utf8', at + 8, end);
    at = end;
  }
  return text;
}
