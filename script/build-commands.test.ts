/** The bundle of the commands, built in a copy of the project: it runs, it is fast to load, and it never is out of date. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

const top = join(import.meta.dirname, '..');
const copy = mkdtempSync(join(tmpdir(), 'netyard-bundle-'));
after(() => rmSync(copy, { recursive: true }));

/** The project's files, with its installed packages; those of the workspace are the copy's own. */
function copyProject(): void {
  for (const folder of ['bin', 'script'])
    cpSync(join(top, folder), join(copy, folder), { recursive: true, preserveTimestamps: true });
  for (const name of readdirSync(join(top, 'packages')))
    for (const part of ['src', 'package.json'])
      cpSync(join(top, 'packages', name, part), join(copy, 'packages', name, part), { recursive: true });
  const installed = join(copy, 'node_modules');
  mkdirSync(join(installed, '@netyard'), { recursive: true });
  for (const name of readdirSync(join(top, 'node_modules')))
    if (name !== '@netyard') symlinkSync(join(top, 'node_modules', name), join(installed, name));
  for (const name of readdirSync(join(copy, 'packages')))
    symlinkSync(join(copy, 'packages', name), join(installed, '@netyard', name));
  writeFileSync(join(copy, 'package.json'), readFileSync(join(top, 'package.json')));
}

function build(): void {
  const { status, stderr } = spawnSync(process.execPath, [join(copy, 'script/build-commands.ts')], {
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
}

interface Outcome {
  status: number | null;
  stdout: string;
  stderr: string;
  /** Paths of the loaded files of the project, from its folder. */
  loaded: string[];
}

/** Runs the copy's netyard, without a daemon. */
function netyard(...args: string[]): Outcome {
  const coverage = mkdtempSync(join(copy, 'coverage-'));
  const { status, stdout, stderr } = spawnSync(join(copy, 'bin/netyard'), args, {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], NODE_V8_COVERAGE: coverage, NETYARD_HOST: 'unix:///no/such/netyard.sock' },
  });
  const urls = readdirSync(coverage).flatMap((file) => {
    const { result } = JSON.parse(readFileSync(join(coverage, file), 'utf8')) as { result: { url: string }[] };
    return result.map(({ url }) => url);
  });
  const prefix = `file://${copy}/`;
  const loaded = urls.filter((url) => url.startsWith(prefix)).map((url) => url.slice(prefix.length));
  return { status, stdout, stderr, loaded };
}

const isBundled = ({ loaded }: Outcome): boolean =>
  loaded.some((path) => path.startsWith('packages/cli/dist/')) && !loaded.some((path) => path.endsWith('.ts'));

function edit(path: string, from: string, to: string): void {
  const text = readFileSync(join(copy, path), 'utf8');
  assert.ok(text.includes(from), path);
  writeFileSync(join(copy, path), text.replace(from, to));
}

copyProject();

test('sources run where no bundle was built', () => {
  const outcome = netyard('--version');
  assert.match(outcome.stdout, /^Netyard version \d/);
  assert.ok(outcome.loaded.includes('packages/cli/src/main.ts'));
});

test('a bundle runs without reading a source', () => {
  build();
  for (const args of [['--version'], ['--help'], ['ps', '--help'], ['run', '--help'], ['completion', 'bash']]) {
    const outcome = netyard(...args);
    assert.deepEqual([outcome.status, outcome.stderr, isBundled(outcome)], [0, '', true], args.join(' '));
  }
});

test('a bundled command fails with the messages and exit codes of its sources', () => {
  const ps = netyard('ps');
  assert.deepEqual([ps.status, ps.stdout, isBundled(ps)], [1, '', true]);
  assert.match(ps.stderr, /^Cannot connect to the Netyard daemon at unix:\/\/\/no\/such\/netyard.sock\. Is the daemon/);
  const run = netyard('run', '--nope', 'image');
  assert.deepEqual([run.status, run.stderr.split('\n')[0]], [125, 'unknown flag: --nope']);
});

test('the bundle of the daemon reads its flags', () => {
  const outcome = netyard('daemon', '--help');
  assert.deepEqual([outcome.status, isBundled(outcome)], [0, true]);
  assert.match(outcome.stdout, /--data-root/);
});

test('files whose times differ but whose contents do not keep the bundle in use', () => {
  edit('packages/cli/src/main.ts', '', '');
  assert.ok(isBundled(netyard('--version')));
});

test('a changed source of every command runs at once', () => {
  edit('packages/cli/src/program/help.ts', 'A container engine with transparent networking', 'An edited engine');
  const outcome = netyard('--help');
  assert.match(outcome.stdout, /An edited engine/);
  assert.equal(outcome.status, 0);
});

test('a bundle that is built again contains the change, and runs', () => {
  build();
  const outcome = netyard('--help');
  assert.match(outcome.stdout, /An edited engine/);
  assert.ok(isBundled(outcome));
});

test('a changed source of one command runs at once, with all arguments', () => {
  edit('packages/cli/src/commands/completion.ts', 'unknown shell', 'an edited complaint about');
  const outcome = netyard('completion', 'a shell');
  assert.equal(outcome.stderr, 'an edited complaint about "a shell": bash or zsh\n');
  assert.equal(outcome.status, 1);
  assert.ok(isBundled(netyard('ps', '--help')), 'other commands stay bundled');
});

test('a changed package, however it is loaded, runs at once', () => {
  edit('packages/client/src/errors.ts', 'Is the daemon running?', 'Is it running now?');
  assert.match(netyard('ps').stderr, /Is it running now\?/);
});

test('a removed source ends the use of the bundle', () => {
  build();
  rmSync(join(copy, 'packages/cli/src/commands/ps.ts'));
  const outcome = netyard('ps');
  assert.notEqual(outcome.status, 0);
  assert.match(outcome.stderr, /ps\.ts/);
});

test('a stack trace names files and lines of the sources', () => {
  writeFileSync(
    join(copy, 'packages/cli/src/commands/ps.ts'),
    readFileSync(join(top, 'packages/cli/src/commands/ps.ts')),
  );
  const failing = "export const fail = (): void => {\n  throw new Error('deliberate');\n};\n";
  writeFileSync(join(copy, 'packages/cli/src/fail.ts'), failing);
  edit('packages/cli/src/main.ts', 'import { main }', "import { fail } from './fail.ts';\nimport { main }");
  edit('packages/cli/src/main.ts', 'main(process.argv', 'setImmediate(fail);\nmain(process.argv');
  build();
  const outcome = netyard('ps', '--help');
  assert.match(outcome.stderr, /Error: deliberate\n +at Immediate\.fail \(packages\/cli\/src\/fail\.ts:2\)/);
});

test('a checkout without installed packages says what to run', () => {
  rmSync(join(copy, 'node_modules'), { recursive: true });
  const { status, stderr } = spawnSync(join(copy, 'bin/netyard'), ['ps'], { encoding: 'utf8' });
  assert.equal(status, 127);
  assert.match(stderr, /Node is not installed in this project .*\nRun script\/bootstrap there/);
});
