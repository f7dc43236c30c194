/** `--change` of commit and import, with the messages of dockerd 28.5.2. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseImageConfig } from '../image-config.ts';
import { applyChanges } from './apply-changes.ts';
import { expandWord, splitWords, variablesOf } from './words.ts';

const image = parseImageConfig(
  Buffer.from('{"config":{"Env":["A=1"],"Cmd":["sh"],"WorkingDir":"/w"},"rootfs":{"type":"layers","diff_ids":[]}}'),
);
const change = (...lines: string[]) => applyChanges(image, lines).config;

test('variables, quotes and backslashes are read as a shell does', () => {
  const variables = variablesOf(['A=1', 'EMPTY=', 'SPACES=x y', 'B=$A']);
  const words: [string, string][] = [
    [`$A-\${A}_$`, '1-1_$'],
    [`'$A' "$A" \\$A`, '$A 1 $A'],
    ['"\\a \\" \\\\"', '\\a " \\'],
    [`\${NONE:-x\${A}} \${EMPTY:-y} \${EMPTY-z}`, 'x1 y '],
    [`\${A:+set} \${NONE+set}|`, 'set |'],
    ['$SPACES $B $1', 'x y $A '],
    ['end\\', 'end\\'],
  ];
  for (const [text, expected] of words) assert.equal(expandWord(text, variables), expected, text);
  assert.deepEqual(splitWords(`a="b c" 'd e'f g\\ h`), ['a="b c"', "'d e'f", 'g\\ h']);
  for (const text of ['"a', "'a", '${', '${A', `\${A#x}`, `\${NONE:?gone}`])
    assert.throws(() => expandWord(text, variables), { code: 'invalid' }, text);
});

test('instructions change the configuration', () => {
  assert.deepEqual(change(`ENV PATH=$A:/x Q=\${Z:-z} R="a b"`, 'ENV S $R c').env, [
    'A=1',
    'PATH=1:/x',
    'Q=z',
    'R=a b',
    'S=a b c',
  ]);
  assert.deepEqual(change('# comment', '', 'ENV A=2 \\', '  # inside', '  B=3').env, ['A=2', 'B=3']);
  assert.equal(change('WORKDIR sub').workingDirectory, '/w/sub');
  assert.equal(change('USER $A').user, '1');
  assert.equal(change('USER a b').user, 'a b');
  assert.deepEqual(change('VOLUME $A/v /v /v').volumes, ['1/v', '/v']);
  assert.deepEqual(change('ONBUILD RUN x', 'onbuild copy a b').onBuild, ['RUN x', 'copy a b']);
  assert.deepEqual(change('EXPOSE 53/udp 80 53/udp').exposed.length, 2);
});

test('an entrypoint clears the command, unless the changes set one', () => {
  assert.deepEqual(change('ENTRYPOINT ["x"]').command, []);
  assert.deepEqual(change('CMD ["y"]', 'ENTRYPOINT ["x"]').command, ['y']);
  assert.deepEqual(change('ENTRYPOINT ["x"]', 'CMD y $A').command, ['/bin/sh', '-c', 'y $A']);
  assert.deepEqual(change('CMD').command, ['/bin/sh', '-c']);
});

test('HEALTHCHECK has its flags', () => {
  const flags = '--interval=1m30s --timeout=500ms --start-period=1.5s --start-interval=2s --retries=3';
  assert.deepEqual(change(`HEALTHCHECK ${flags} CMD wget -q x`).healthcheck, {
    test: ['CMD-SHELL', 'wget -q x'],
    intervalNanoseconds: 90e9,
    timeoutNanoseconds: 0.5e9,
    startPeriodNanoseconds: 1.5e9,
    startIntervalNanoseconds: 2e9,
    retries: 3,
  });
  assert.deepEqual(change('HEALTHCHECK CMD ["a", "b"]').healthcheck?.test, ['CMD', 'a', 'b']);
  assert.deepEqual(change('healthcheck none').healthcheck?.test, ['NONE']);
});

test('invalid instructions are rejected with the messages of Docker', () => {
  const cases: [string, string][] = [
    ['', 'file with no instructions'],
    ['# comment', 'file with no instructions'],
    ['FOO bar', 'FOO is not a valid change command'],
    ['shell ["x"]', 'shell is not a valid change command'],
    ['ENV a', 'ENV must have two arguments'],
    ['ENV =b', 'ENV names can not be blank'],
    ['LABEL =b', 'LABEL names can not be blank'],
    ['LABEL a=b c', `Syntax error - can't find = in "c". Must be of the form: name=value`],
    ['EXPOSE x', 'Invalid containerPort: x'],
    ['STOPSIGNAL FOO', 'invalid signal: FOO'],
    ['CMD --x a', 'unknown flag: --x'],
    ['USER', 'USER requires exactly one argument'],
    ['WORKDIR', 'WORKDIR requires exactly one argument'],
    ['VOLUME', 'VOLUME requires at least one argument'],
    ['VOLUME []', 'VOLUME requires at least one argument'],
    ['VOLUME [""]', 'VOLUME specified can not be an empty string'],
    ['ONBUILD', 'ONBUILD requires at least one argument'],
    ['ONBUILD FROM a', "FROM isn't allowed as an ONBUILD trigger"],
    ['ONBUILD ONBUILD RUN a', "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"],
    ['HEALTHCHECK', 'HEALTHCHECK requires at least one argument'],
    ['HEALTHCHECK --x=5 CMD a', 'unknown flag: --x'],
    ['HEALTHCHECK --interval CMD a', 'missing a value on flag: --interval'],
    ['HEALTHCHECK --interval=0.1 CMD a', 'time: missing unit in duration "0.1"'],
    ['HEALTHCHECK --interval=1us CMD a', 'Interval "interval" cannot be less than 1ms'],
    ['HEALTHCHECK --retries=-1 CMD a', '--retries cannot be negative (-1)'],
    ['HEALTHCHECK --retries=x CMD a', 'strconv.ParseInt: parsing "x": invalid syntax'],
    ['HEALTHCHECK FOO', 'Unknown type "FOO" in HEALTHCHECK (try CMD)'],
    ['HEALTHCHECK CMD', 'Missing command after HEALTHCHECK CMD'],
    ['HEALTHCHECK NONE a', 'HEALTHCHECK NONE takes no arguments'],
  ];
  for (const [line, message] of cases) assert.throws(() => change(line), { code: 'invalid', message }, line);
});

test('changes that repeat variables, ports or themselves are limited', () => {
  const doubled = Array.from({ length: 25 }, () => 'ENV A=$A$A');
  const nested = `${'${B:-'.repeat(5000)}x${'}'.repeat(5000)}`;
  const many = Array.from({ length: 400 }, (_, index) => `L${index}=$A`).join(' ');
  const cases: [RegExp, ...string[]][] = [
    [/more than 131072 characters/, ...doubled],
    [/more than 131072 characters/, ...doubled.map((line) => line.replace('$A$A', '"$A$A"'))],
    [/more than 4194304 characters/, ...doubled.slice(0, 16), `LABEL ${many}`],
    [/more than 4194304 characters/, ...doubled.slice(0, 16), ...many.split(' ').map((pair) => `ENV ${pair}`)],
    [/nested substitutions/, `ENV A=${nested}`],
    [/more ports than there are/, `EXPOSE ${'1-65535 '.repeat(2000)}`],
    [/more than 500 changes/, ...Array.from({ length: 501 }, () => 'USER x')],
  ];
  for (const [message, ...lines] of cases)
    assert.throws(() => change(...lines), { code: 'invalid', message }, lines.at(-1)?.slice(0, 40));
});
