import assert from 'node:assert/strict';
import { chmodSync, chownSync, existsSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, test } from 'node:test';
import { isNetyardError } from '@netyard/core';
import { parseFlags } from './flags.ts';
import { planConnections, readProcessLimits } from './host-facts.ts';
import { listen } from './listen.ts';
import { isLockHeld, takeLock } from './lock.ts';
import { openLogger } from './log.ts';

const folder = mkdtempSync(join(tmpdir(), 'netyard-daemon-'));
after(() => rmSync(folder, { recursive: true }));

async function flags(...words: string[]): Promise<Record<string, unknown>> {
  let seen: Record<string, unknown> | undefined;
  await parseFlags(words, async (given) => {
    seen = { ...given.options, configFile: given.configFile };
  });
  return seen ?? {};
}

test('connections use no more than their share of the descriptors', () => {
  const limits = (hard: string): string =>
    `Max processes  100  200  processes\nMax open files            1024   ${hard}     files\n`;
  assert.deepEqual(planConnections(limits('4096')), { unixConnections: 2048, tcpConnections: 512 });
  assert.deepEqual(planConnections(limits('1048576')), { unixConnections: 16_384, tcpConnections: 1024 });
  assert.deepEqual(planConnections(limits('unlimited')), { unixConnections: 16_384, tcpConnections: 1024 });
  assert.ok(planConnections(readProcessLimits()).unixConnections > 0);
});

test('flags are dockerd’s: singular lists, =false switches, short forms', async () => {
  assert.deepEqual(
    await flags('-H', 'unix:///a', '-H', 'unix:///b', '--icc=false', '--mtu', '1400', '--dns-opt', 'x'),
    {
      hosts: ['unix:///a', 'unix:///b'],
      icc: false,
      mtu: 1400,
      'dns-opts': ['x'],
      configFile: undefined,
    },
  );
  assert.deepEqual(await flags('--init', '--config-file', 'f'), { init: true, configFile: 'f' });
});

test('a lock file is readable by its owner only, also one that an earlier version left readable', () => {
  const path = join(folder, 'private.lock');
  for (const before of [undefined, 0o644, 0o666]) {
    if (before !== undefined) {
      writeFileSync(path, '');
      chmodSync(path, before);
    }
    const lock = takeLock(path, folder);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.throws(() => takeLock(path, folder), /another Netyard daemon uses/);
    lock.release();
  }
  symlinkSync('/dev/null', path);
  assert.throws(() => takeLock(path, folder), /is not a regular file/);
});

test('a lock is held until it is released', () => {
  const path = join(folder, 'lock.db');
  writeFileSync(path, '', { mode: 0o600 });
  assert.equal(isLockHeld(path), false);
  const lock = takeLock(path, folder);
  assert.equal(isLockHeld(path), true);
  assert.throws(
    () => takeLock(path, folder),
    (error) => isNetyardError(error, 'conflict'),
  );
  lock.release();
  takeLock(path, folder).release();
  assert.ok(!existsSync(path));
  assert.equal(isLockHeld(path), false);
});

const get = (socketPath: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const sent = request({ socketPath, path: '/' }, (answer) => {
      let body = '';
      answer.on('data', (data) => {
        body += String(data);
      });
      answer.on('end', () => resolve(body));
    });
    sent.on('error', reject);
    sent.end();
  });

test('one server listens on two sockets with mode 0660; a stale one is replaced, one in use and a file are not', async () => {
  const http = () => createServer((_request, answer) => answer.end('here'));
  const [a, b] = [join(folder, 'a.sock'), join(folder, 'sub', 'b.sock')];
  const unix = (path: string) => ({ kind: 'unix', path }) as const;
  const listeners = await listen(http, [unix(a), unix(b)], { group: 'root', tls: undefined });
  assert.equal(await get(a), 'here');
  assert.equal(await get(b), 'here');
  assert.equal(statSync(a).mode & 0o777, 0o660);
  await assert.rejects(listen(http, [unix(a)], { group: 'root', tls: undefined }), /another process listens/);
  await listeners.close();

  const file = join(folder, 'file');
  writeFileSync(file, '');
  await assert.rejects(listen(http, [unix(file)], { group: '', tls: undefined }), /is not a socket/);
  await assert.rejects(listen(http, [unix(a)], { group: 'no-such-group', tls: undefined }), /group no-such-group/);
  assert.ok(existsSync(file));
  chmodSync(file, 0o600);
});

test('log lines are readable and never throw', () => {
  const output = new PassThrough();
  const logger = openLogger({ level: 'info', format: 'text', output });
  logger.debug('not shown');
  logger.warn('two words', { size: 5n, error: new Error('outer', { cause: new Error('inner') }) });
  assert.match(String(output.read()), /^\S+Z warn {2}two words size=5 error="outer: inner"\n$/);
});

test('a TLS key that other users can read or own is rejected', async () => {
  const pem = (name: string): string => join(folder, `${name}.pem`);
  for (const name of ['ca', 'certificate', 'key']) writeFileSync(pem(name), '');
  const tls = { ca: pem('ca'), certificate: pem('certificate'), key: pem('key') };
  const http = () => createServer();
  const at = [{ kind: 'tcp', host: '127.0.0.1', port: 0 } as const];
  for (const mode of [0o604, 0o640, 0o644, 0o620, 0o601, 0o777]) {
    chmodSync(tls.key, mode);
    const expected = new RegExp(`permissions 0${mode.toString(8)} of the TLS key ${tls.key} .* are too open`);
    await assert.rejects(listen(http, at, { group: 'root', tls }), expected);
  }
  for (const mode of [0o600, 0o400]) {
    chmodSync(tls.key, mode);
    await (await listen(http, at, { group: 'root', tls })).close();
  }
  if (process.getuid?.() !== 0) return;
  chownSync(tls.key, 65534, 0);
  await assert.rejects(listen(http, at, { group: 'root', tls }), /uid 65534\) are too open/);
});
