/** The command table: every command loads, and its help is correct. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { rootEntry } from './command-table.ts';
import { completionLines, completionScript } from './commands/completion.ts';
import { parseFlags } from './program/flags.ts';
import type { CommandSpec, Entry } from './program/spec.ts';

async function* commands(entry: Entry, path: string[] = []): AsyncGenerator<{ path: string[]; spec: CommandSpec }> {
  for (const child of entry.children ?? []) {
    const below = [...path, child.name];
    if (child.load) yield { path: below, spec: await child.load() };
    yield* commands(child, below);
  }
}

test('each command has a summary, an example, and flags that do not collide', async () => {
  for await (const { path, spec } of commands(rootEntry)) {
    const name = path.join(' ');
    assert.ok(spec.examples.length > 0, name);
    const names = spec.flags.map((flag) => flag.name);
    assert.equal(new Set(names).size, names.length, name);
    const shorts = spec.flags.flatMap((flag) => flag.short ?? []);
    assert.equal(new Set(shorts).size, shorts.length, name);
    for (const flag of spec.flags) assert.ok(flag.help !== '', `${name} --${flag.name}`);
  }
  const summaries = (entry: Entry): Entry[] => [entry, ...(entry.children ?? []).flatMap(summaries)];
  for (const entry of summaries(rootEntry)) assert.ok(entry.summary !== '', entry.name);
});

test('examples are valid command lines', async () => {
  for await (const { path, spec } of commands(rootEntry)) {
    for (const example of spec.examples) {
      const line = example.replace(/ [|<>].*$/, '').replaceAll(/\$\([^)]*\)|<\([^)]*\)/g, 'x');
      const words = [...line.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2] ?? '');
      const alone = words.slice(1, 1 + path.length).join(' ') === path.join(' ');
      const grouped = path.length > 1 && words.slice(1, path.length).join(' ') === path.slice(1).join(' ');
      if (!alone && !grouped) continue; // an example of another command, such as `start` after `create`
      const { args } = parseFlags(
        words.slice(alone ? path.length + 1 : path.length),
        spec.flags,
        spec.stopAtArgument ?? false,
      );
      assert.ok(args.length >= spec.args[0] && args.length <= spec.args[1], example);
    }
  }
});

test('flags have docker’s grammar', () => {
  const flags = [
    { name: 'tty', short: 't', type: 'bool', help: '' },
    { name: 'interactive', short: 'i', type: 'bool', help: '' },
    { name: 'publish', short: 'p', type: 'list', help: '' },
    { name: 'network', type: 'network', help: '' },
  ];
  const parse = (...words: string[]) => parseFlags(words, flags, true);
  assert.deepEqual(parse('-itp80', '-p=81', '--publish', '82', 'img', '-p', 'x').flags.list('publish'), [
    '80',
    '81',
    '82',
  ]);
  assert.deepEqual(parse('img', '-it').args, ['img', '-it']);
  assert.deepEqual(parse('--net=host', 'img').flags.list('network'), ['host']);
  assert.equal(parse('-t=false', '-t', '--tty=0', 'img').flags.bool('tty'), false);
  assert.deepEqual(parse('--', '-p').args, ['-p']);
  assert.throws(() => parse('-p'), /flag needs an argument: 'p' in -p/);
  assert.throws(() => parse('-ixp'), /unknown shorthand flag: 'x' in -xp/);
});

const withoutZsh = spawnSync('zsh', ['-c', ':']).error ? 'zsh is not installed' : false;

test('completion: zsh accepts the script', { skip: withoutZsh }, async () => {
  const script = completionScript('zsh', await completionLines(rootEntry));
  const line = 'autoload -U compinit && compinit -u -D && eval "$1" && print -- $_comps[netyard]';
  const result = spawnSync('zsh', ['-f', '-c', line, 'zsh', script], { encoding: 'utf8' });
  assert.deepEqual([result.stderr, result.stdout], ['', '_bash_complete -F _netyard_complete\n']);
});

/** An interactive zsh in a pseudo-terminal: returns a line after a tab. ^X prints and clears the line. */
const zshLines = `
  zmodload zsh/zpty
  zpty shell zsh -f -i
  zpty -w shell 'unset zle_bracketed_paste; PS1=; autoload -U compinit && compinit -u -D; source '$1
  zpty -w shell 'show() { zle -I; print -r -- "<$BUFFER>"; BUFFER=; }; zle -N show; bindkey "^X" show; echo RE""ADY'
  zpty -r shell out '*READY*'
  shift
  for line; do
    zpty -n -w shell "$line"$'\t\x18'
    zpty -r shell out '*<*>*'
    print -r -- "\${\${out##*<}%%>*}"
  done
  zpty -d shell
`;

test('completion: zsh completes', { skip: withoutZsh }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'netyard-zsh-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'completion');
  writeFileSync(file, completionScript('zsh', await completionLines(rootEntry)));
  // Replaces netyard in PATH, which would need a daemon.
  const fake = '#!/bin/sh\ncase "$1 $2" in "ps -a") echo web ;; "network ls") echo bridge ;; esac\n';
  writeFileSync(join(folder, 'netyard'), fake, { mode: 0o755 });
  const complete = (...lines: string[]): string[] => {
    const environment = { PATH: `${folder}:${process.env['PATH']}`, HOME: folder, TERM: 'dumb' };
    const result = spawnSync('zsh', ['-f', '-c', zshLines, 'zsh', file, ...lines], {
      encoding: 'utf8',
      env: environment,
      timeout: 300_000,
    });
    return result.stdout.split('\n').slice(0, -1);
  };
  assert.deepEqual(
    complete('netyard netw', 'netyard network conn', 'netyard rm -f w', 'netyard network rm b', 'netyard run --pull m'),
    [
      'netyard network ',
      'netyard network connect ',
      'netyard rm -f web ',
      'netyard network rm bridge ',
      'netyard run --pull missing ',
    ],
  );
});

test('completion: bash accepts the script and completes', async () => {
  const script = completionScript('bash', await completionLines(rootEntry));
  const complete = (...words: string[]): string[] => {
    const test = `COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _netyard_complete; echo "\${COMPREPLY[@]}"`;
    // Replaces netyard, which would need a daemon.
    const fake = `netyard() { case "$1 $2" in 'ps -a') echo web db ;; 'network ls') echo bridge ;; 'peer ls') echo server2 ;; 'lab ls') printf '%s\\n' 'LAB HOST' 'tutorial server1' ;; esac; }`;
    const result = spawnSync('bash', ['-c', `${script}\n${fake}\n${test}`], { encoding: 'utf8' });
    assert.equal(result.stderr, '');
    return result.stdout.trim().split(' ');
  };
  assert.deepEqual(complete('netyard', 'netw'), ['network']);
  assert.deepEqual(complete('netyard', 'network', 'con'), ['connect']);
  assert.ok(complete('netyard', 'run', '--pub').includes('--publish'));
  assert.deepEqual(complete('netyard', 'rm', '-f', 'w'), ['web']);
  assert.deepEqual(complete('netyard', 'daemon', '--cluster-api-k'), ['--cluster-api-key']);
  assert.deepEqual(complete('netyard', 'run', '--restart', 'un'), ['unless-stopped']);
  assert.deepEqual(complete('netyard', 'run', '-d', '--network', ''), ['bridge']);
  assert.deepEqual(complete('netyard', 'run', '--volumes-from', ''), ['web', 'db']);
  assert.deepEqual(complete('netyard', 'run', '--env-file', '/etc/host.co'), ['/etc/host.conf']);
  assert.deepEqual(complete('netyard', 'network', 'rm', ''), ['bridge']);
  assert.deepEqual(complete('netyard', 'peer', 'rm', ''), ['server2']);
  assert.deepEqual(complete('netyard', 'capture', ''), ['uplink', 'bridge', 'server2/uplink']);
  assert.deepEqual(complete('netyard', 'cluster', ''), ['leave', 'ls', 'release']);
  assert.deepEqual(complete('netyard', 'lab', 'li'), ['link']);
  assert.deepEqual(complete('netyard', 'lab', 'link', ''), ['down', 'up', 'server1', 'tutorial/server1']);
  assert.deepEqual(complete('netyard', 'lab', 'down', ''), ['tutorial']);
  assert.deepEqual(complete('netyard', 'lab', 'up', '--'), ['--no-daemon', '--help']);
});
