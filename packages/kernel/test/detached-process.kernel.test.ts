/** Detached processes: what they inherit, what they do not, and that they are reaped. */
import assert from 'node:assert/strict';
import { closeSync, existsSync, fstatSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { hasEnded, hasErrno, maxUnixPathLength, openUnixListener, spawnDetached } from '../src/index.ts';
import { libc } from '../src/system/ffi/libc.ts';

const folder = mkdtempSync(join(tmpdir(), 'netyard-detached-'));
after(() => rmSync(folder, { recursive: true }));
const skip = existsSync('/usr/bin/perl') ? false : 'perl is not installed';

const ended = async (pid: number): Promise<void> => {
  while (!hasEnded(pid)) await pause(5);
};
const start = (script: string, ...inherited: number[]): number => {
  const environment = { PATH: '/usr/bin:/bin', WORD: 'a b' };
  return spawnDetached({ program: '/bin/sh', args: ['-c', script], environment, folder, inherited });
};

test('a detached process has its directory, environment, session and signals, and inherits only its own descriptors', async () => {
  const listener = openUnixListener(join(folder, 'one'));
  const F_DUPFD = 0;
  const inheritable = libc().fcntl(listener, F_DUPFD, 40); // not close-on-exec, as libraries may open them
  const script = `exec > said; pwd; echo "$WORD"; fd=0; open=
    while [ $fd -lt 64 ]; do [ ! -e /proc/$$/fd/$fd ] || open="$open $fd"; fd=$((fd + 1)); done; echo $open
    ps -o sid= -p $$ | tr -d ' '; grep SigIgn /proc/$$/status; exit 3`;
  const pid = start(script, listener);
  closeSync(listener);
  closeSync(inheritable);
  await ended(pid);
  const said = readFileSync(join(folder, 'said'), 'utf8').split('\n');
  assert.deepEqual(said.slice(0, 2), [folder, 'a b']);
  assert.equal(said[2], '0 1 2 3');
  assert.equal(said[3], String(pid));
  assert.match(said[4] ?? '', /^SigIgn:\s+0+$/);
  assert.ok(hasEnded(pid), 'stays ended');
});

test('inherited descriptors keep their order, whatever their numbers are', async () => {
  const names = ['first', 'second', 'third'];
  for (const name of names) writeFileSync(join(folder, name), name);
  const fds = names.map((name) => openSync(join(folder, name), 'r'));
  const pid = start('cat <&3 > order; cat <&4 >> order; cat <&5 >> order', ...fds.toReversed());
  const isOpen = fds.every((fd) => fstatSync(fd).isFile());
  for (const fd of fds) closeSync(fd);
  await ended(pid);
  assert.equal(readFileSync(join(folder, 'order'), 'utf8'), 'thirdsecondfirst');
  assert.ok(isOpen, 'the parent keeps its descriptor open');
});

test('a client that connects before the program accepts is served by it', { skip }, async () => {
  const path = join(folder, 'two');
  const listener = openUnixListener(path);
  const client = connect(path);
  client.write('hello\n');
  const pid = start(`exec perl -e 'open L, "+<&=3"; accept C, L; syswrite C, "got " . <C>'`, listener);
  closeSync(listener);
  let answer = '';
  for await (const piece of client) answer += String(piece);
  assert.equal(answer, 'got hello\n');
  await ended(pid);
});

test('impossible requests are rejected', () => {
  const none = { program: '/no/such/program', args: [], environment: {}, folder, inherited: [0] };
  assert.throws(
    () => spawnDetached(none),
    (error) => hasErrno(error, 'ENOENT'),
  );
  assert.throws(
    () => openUnixListener(join(folder, 'one')),
    (error) => hasErrno(error, 'EADDRINUSE'),
  );
  assert.throws(() => openUnixListener(`/${'x'.repeat(maxUnixPathLength)}`), /exceeds 107 bytes/);
});
