import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import type { JSONMessage } from '@netyard/api-types';
import { systemClock } from '@netyard/core';
import { escapeControls } from './format/escape.ts';
import { main } from './netyard.ts';
import { type Environment, globalFlags, makeContext } from './program/context.ts';
import { Flags } from './program/flags.ts';
import { showProgress } from './terminal/progress.ts';

/** Sets the title, moves up a line, 8-bit CSI, hides text, changes its direction. */
const hostile = 'a\x1b]0;title\x07b\x1b[1A\rc\x08\x9b2Jd\x7f\u202ee\x00';
const shown = String.raw`a\x1b]0;title\x07b\x1b[1A\x0dc\x08\x9b2Jd\x7f\u202ee\x00`;

function outside(isTTY: boolean): { outside: Environment; said: () => string } {
  const output = Object.assign(new PassThrough(), { isTTY, columns: 80, rows: 24 });
  const given = { stdin: new PassThrough(), stdout: output, stderr: output, env: {}, clock: systemClock, cwd: '/' };
  const said = (): string => {
    let text = '';
    for (let chunk = output.read(); chunk !== null; chunk = output.read()) text += String(chunk);
    return text;
  };
  return { outside: given, said };
}

test('control characters become visible, text of all languages is unchanged', () => {
  assert.equal(escapeControls(hostile), shown);
  for (const text of ['tab\tand\nline', 'ü 数据 🐳 עברית', '"quoted" \\x1b']) assert.equal(escapeControls(text), text);
  for (let code = 0; code < 0xa0; code += 1) {
    const char = String.fromCharCode(code);
    const isSafe = char === '\t' || char === '\n' || (code >= 0x20 && code < 0x7f);
    assert.equal(escapeControls(char) === char, isSafe, `U+${code.toString(16)}`);
  }
});

test('output of commands is escaped on a terminal and unchanged elsewhere', () => {
  for (const [isTTY, expected] of [
    [true, shown],
    [false, hostile],
  ] as const) {
    const { outside: given, said } = outside(isTTY);
    const context = makeContext(given, new Flags(new Map(globalFlags.map((flag) => [flag.name, flag]))));
    context.print(hostile);
    context.warn(hostile);
    context.write(hostile);
    assert.equal(said(), `${expected}\n${expected}\n${expected}`);
    context.write(Buffer.from(hostile));
    assert.equal(said(), hostile);
  }
});

test('an error’s text is escaped on a terminal', async () => {
  for (const isTTY of [true, false]) {
    const { outside: given, said } = outside(isTTY);
    assert.notEqual(await main([hostile], given), 0);
    assert.equal(said().includes('\x1b'), !isTTY);
  }
});

test('escape sequences in a registry’s progress are escaped', async () => {
  const { outside: given, said } = outside(true);
  async function* messages(): AsyncGenerator<JSONMessage> {
    yield { status: `\x1b]2;x\x07` };
    yield { stream: `\x1b[31mred\n` };
    yield { id: 'layer\x1b[2J', status: 'Pulling\n\x1b[H' };
  }
  await showProgress(messages(), given.stdout);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the sequences of the progress itself
  assert.doesNotMatch(said().replace(/\x1b\[\d+[AB]|\x1b\[2K|\r/g, ''), /[\x00-\x08\x0b-\x1f]/);
});
