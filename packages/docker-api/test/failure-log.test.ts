/** The daemon's log distinguishes defects from requests that failed for a reason of the user or the host. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import type { LogFields, Logger } from '@netyard/core';
import { NetyardError } from '@netyard/core';
import type { ContainerService } from '@netyard/engine';
import { serve } from './client.ts';

interface Entry {
  level: string;
  message: string;
  fields: LogFields;
}

function recorder(): { logger: Logger; entries: Entry[] } {
  const entries: Entry[] = [];
  const at =
    (level: string) =>
    (message: string, fields: LogFields = {}): void => {
      if (message !== 'request') entries.push({ level, message, fields });
    };
  return { entries, logger: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') } };
}

test('a defect is logged as an error with its stacks, any other failure as a warning', async (t) => {
  const throwers = {
    failed: () => {
      throw new NetyardError('failed', 'Container c is not paused');
    },
    conflict: () => {
      throw new NetyardError('conflict', 'container c is already paused');
    },
    internal: () => {
      throw new NetyardError('internal', 'Cannot pause c: a bug', { cause: new TypeError('a bug') });
    },
    bug: () => {
      throw new TypeError('a bug');
    },
    system: () => readFileSync('/proc/no-such-file'),
  };
  const { entries, logger } = recorder();
  const isKnown = (ref: string): ref is keyof typeof throwers => ref in throwers;
  const pause = async (ref: string): Promise<void> => void (isKnown(ref) && throwers[ref]());
  const server = await serve(t, { containers: { pause } }, undefined, { logger });
  const outcome = async (ref: string): Promise<unknown[]> => {
    entries.length = 0;
    const { status } = await server.send('POST', `/containers/${ref}/pause`);
    const [entry] = entries;
    assert.ok(entry !== undefined && entries.length === 1);
    const { method, url, status: logged } = entry.fields;
    assert.deepEqual([method, url, logged], ['POST', `/containers/${ref}/pause`, status]);
    return [status, entry.level, entry.message, entry.fields.error, String(entry.fields.stack)];
  };
  const without = 'undefined';
  assert.deepEqual(await outcome('failed'), [500, 'warn', 'request failed', 'Container c is not paused', without]);
  const conflict = [409, 'debug', 'request refused', 'container c is already paused', without];
  assert.deepEqual(await outcome('conflict'), conflict);
  for (const [ref, level, error, stack] of [
    [
      'internal',
      'error',
      'Cannot pause c: a bug',
      /Cannot pause c.*failure-log\.test.*\ncaused by: TypeError.*failure-log\.test/s,
    ],
    ['bug', 'error', 'a bug', /TypeError: a bug\n.*failure-log\.test/s],
    ['system', 'warn', 'open /proc/no-such-file: no such file or directory', /ENOENT/],
  ] as const) {
    const found = await outcome(ref);
    assert.deepEqual(found.slice(0, 4), [500, level, 'request failed', error]);
    assert.match(String(found[4]), stack);
  }
});

test('a defect is logged also when the response has begun', async (t) => {
  const { entries, logger } = recorder();
  const images = {
    load: async function* () {
      yield { status: 'Loading layer' };
      throw new TypeError('a bug');
    },
  };
  const server = await serve(t, { images }, undefined, { logger });
  const { status, body } = await server.send('POST', '/images/load', { body: '' });
  assert.equal(status, 200);
  assert.match(body, /"error":"internal error: see the daemon log"/);
  assert.deepEqual(
    entries.map(({ level, message, fields }) => [level, message, fields.url, fields.error]),
    [['error', 'request failed', '/images/load', 'a bug']],
  );
});

test('the log says why a response ended early', async (t) => {
  const { entries, logger } = recorder();
  async function* pieces(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('the first piece');
    throw new NetyardError('conflict', 'srv/log became shorter while it was read');
  }
  const archive = async (): ReturnType<ContainerService['export']> => Readable.from(pieces(), { objectMode: false });
  const server = await serve(t, { containers: { export: archive } }, undefined, { logger });
  await assert.rejects(server.send('GET', '/containers/c/export'));
  const error = 'srv/log became shorter while it was read';
  const logged = entries.filter(({ level }) => level !== 'debug');
  assert.deepEqual(logged, [
    { level: 'warn', message: 'response broken off', fields: { method: 'GET', url: '/containers/c/export', error } },
  ]);
});
