import assert from 'node:assert/strict';
import { test } from 'node:test';
import { processFailure } from './runtime-errors.ts';

const shim = 'create the task of x: failed to create shim task: OCI runtime create failed: ';
const exec = 'start a process in x: OCI runtime exec failed: ';
const ofRunc = 'runc create failed: unable to start container process: ';
const ofRuncExec = 'exec failed: unable to start container process: ';

/** Errors of crun 1.8.1 and runc 1.1.5, and their conversion. */
const said: [command: string, texts: string[], expected: string][] = [
  [
    'nope',
    [
      `${shim}executable file \`nope\` not found in $PATH: No such file or directory: unknown`,
      `${shim}${ofRunc}exec: "nope": executable file not found in $PATH: unknown`,
      `${exec}executable file \`nope\` not found in $PATH: No such file or directory: unknown`,
      `${exec}${ofRuncExec}exec: "nope": executable file not found in $PATH: unknown`,
      `${shim}${ofRunc}error during container init: exec: "nope": executable file not found in $PATH: unknown`,
    ],
    'exec: "nope": executable file not found in $PATH',
  ],
  [
    '/bin/nope',
    [
      `${shim}executable file \`/bin/nope\` not found in $PATH: No such file or directory: unknown`,
      `${shim}${ofRunc}exec: "/bin/nope": stat /bin/nope: no such file or directory: unknown`,
    ],
    'exec: "/bin/nope": stat /bin/nope: no such file or directory',
  ],
  [
    '/etc/plain',
    [
      `${shim}open executable: Permission denied: unknown`,
      `${shim}open executable: Operation not permitted: unknown`,
      `${shim}${ofRunc}exec: "/etc/plain": permission denied: unknown`,
    ],
    'exec: "/etc/plain": permission denied',
  ],
  [
    'a "quoted" name',
    [`${shim}${ofRunc}exec: "a \\"quoted\\" name": executable file not found in $PATH: unknown`],
    'exec: "a \\"quoted\\" name": executable file not found in $PATH',
  ],
  [
    '',
    [
      `${shim}open executable: Operation not permitted: unknown`,
      `${shim}${ofRunc}exec: "": executable file not found in $PATH: unknown`,
    ],
    'exec: "": executable file not found in $PATH',
  ],
  [
    'true',
    [
      `${shim}chdir \`/etc/passwd\`: Not a directory: unknown`,
      `${shim}${ofRunc}error during container init: mkdir /etc/passwd: not a directory: unknown`,
    ],
    'chdir to cwd ("/etc/passwd") set in config.json failed: not a directory',
  ],
];

test('both runtimes’ errors about a command become Docker’s', () => {
  for (const [command, texts, expected] of said)
    for (const text of texts) {
      const failure = processFailure(text, { args: [command], workingDirectory: '/etc/passwd' }, undefined);
      assert.deepEqual([failure.code, failure.message], ['invalid', expected], text);
    }
});

test('other errors keep the runtime’s message without its prefixes', () => {
  const text = `${shim}${ofRunc}error during container init: error mounting "/a" to rootfs at "/b": not a directory: unknown`;
  const failure = processFailure(text, { args: ['true'], workingDirectory: '/' }, undefined);
  assert.deepEqual(
    [failure.code, failure.message],
    ['failed', 'error mounting "/a" to rootfs at "/b": not a directory'],
  );
});
