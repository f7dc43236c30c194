/** The processes that trace and observe for the page: a shell script takes their place. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNetyardError } from '@netyard/core';
import type { PageCommands } from '@netyard/web';
import { openCommands } from './page-commands.ts';

const tracer = (script: string): PageCommands['trace'] => commandsOf(script).trace;
const commandsOf = (script: string): PageCommands =>
  openCommands({ socket: '/run/x.sock', env: { PATH: process.env['PATH'] }, program: ['sh', '-c', script, 'netyard'] });
const never = new AbortController().signal;

test('both ends are arguments, never options, and the daemon’s own socket is named', async () => {
  const printed = await tracer('printf "%s|" "$NETYARD_HOST" "$@"; exit 1')('web', '--help', never);
  assert.equal(printed, 'unix:///run/x.sock|trace|--json|--|web|--help|');
});

test('a failure is the reason that the command prints, with its hint', async () => {
  const failing = tracer('echo "netyard: no such container: x" >&2; echo "netyard topology lists all" >&2; exit 125');
  await assert.rejects(failing('x', 'y', never), (error: unknown) => {
    assert.ok(isNetyardError(error));
    assert.deepEqual([error.code, error.message], ['invalid', 'no such container: x']);
    assert.equal(error.hint, 'netyard topology lists all');
    return true;
  });
  await assert.rejects(tracer('exit 3')('x', 'y', never), /netyard trace ended with status 3/);
});

test('endless output ends the process', async () => {
  await assert.rejects(tracer('yes')('x', 'y', never), /longer than 4194304 bytes/);
});

test('one at a time; a page that leaves ends its trace', async () => {
  const gone = new AbortController();
  const trace = tracer('[ "$4" = slow ] || exit 0; echo $$; exec sleep 1000');
  const slow = trace('slow', 'y', gone.signal);
  await assert.rejects(trace('x', 'y', never), /another trace is running/);
  gone.abort();
  await assert.rejects(slow, /was ended/);
  assert.equal(await trace('x', 'y', never), '');
});

test('other engines are asked through the topology command', async () => {
  assert.equal(await commandsOf('printf "%s|" "$@"').topology(never), 'topology|--json|');
  await assert.rejects(commandsOf('echo "netyard: needs root" >&2; exit 1').topology(never), /needs root/);
});
