import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNetyardError } from '@netyard/core';
import { logAttributes } from './log-attributes.ts';
import { checkLogOptions, clampMaxFile, parseRotation } from './log-options.ts';

const tag = {
  ID: '0123456789ab',
  FullID: '0123456789abcdef',
  Name: 'web',
  ImageID: 'sha256:01234',
  ImageFullID: 'sha256:0123456789',
  ImageName: 'nginx:1',
  DaemonName: 'docker',
  Command: 'nginx -g x',
  Hostname: 'host1',
};

test('rotation of both drivers; sizes of json-file are decimal, those of local binary, as in Docker', () => {
  const plain = { maximumSize: undefined, maximumFiles: 1, compresses: false };
  assert.deepEqual(parseRotation('json-file', {}), plain);
  assert.deepEqual(parseRotation('json-file', { 'max-size': '10k', 'max-file': '3', compress: 't' }), {
    maximumSize: 10_000,
    maximumFiles: 3,
    compresses: true,
  });
  const local = { maximumSize: 20 * 1024 * 1024, maximumFiles: 5, compresses: true };
  assert.deepEqual(parseRotation('local', {}), local);
  assert.deepEqual(parseRotation('local', { 'max-size': '10k', 'max-file': '1', compress: 'false' }), {
    maximumSize: 10_240,
    maximumFiles: 1,
    compresses: false,
  });
});

test('max-file is any positive integer of 64 bits; a stored larger one is clamped', () => {
  for (const driver of ['json-file', 'local'])
    for (const files of ['9007199254740992', '9223372036854775807', '+9223372036854775807'])
      assert.equal(parseRotation(driver, { 'max-file': files }).maximumFiles, Number.MAX_SAFE_INTEGER, files);
  assert.throws(() => parseRotation('json-file', { 'max-file': '9223372036854775808' }), /value out of range/);
  const stored = { 'max-size': '1k', 'max-file': '99999999999999999999' };
  assert.deepEqual(clampMaxFile(stored), { ...stored, 'max-file': '9223372036854775807' });
  for (const files of ['3', '9223372036854775807', 'x', '-99999999999999999999'])
    assert.equal(clampMaxFile({ 'max-file': files }), undefined, files);
  assert.equal(clampMaxFile({}), undefined);
});

test('invalid log options are rejected with the texts of Docker', () => {
  const outOfRange = 'strconv.Atoi: parsing "99999999999999999999": value out of range';
  const cases: [string, Record<string, string>, string][] = [
    ['gelf', {}, "logger: no log driver named 'gelf' is registered"],
    ['foo', {}, 'error looking up logging plugin foo: plugin "foo" not found'],
    ['json-file', { 'max-sise': '1' }, "unknown log opt 'max-sise' for json-file log driver"],
    ['local', { labels: 'a' }, "unknown log opt 'labels' for log driver local"],
    ['json-file', { 'max-size': 'big' }, "invalid size: 'big'"],
    ['json-file', { 'max-size': '1x' }, "invalid suffix: 'x'"],
    ['json-file', { 'max-file': '0' }, 'max-file cannot be less than 1'],
    ['json-file', { 'max-file': 'x' }, 'strconv.Atoi: parsing "x": invalid syntax'],
    ['json-file', { 'max-file': '99999999999999999999' }, outOfRange],
    [
      'local',
      { 'max-file': '-99999999999999999999' },
      `invalid value for max-file: -99999999999999999999: ${outOfRange.replace('9', '-9')}`,
    ],
    ['json-file', { compress: 'x' }, 'strconv.ParseBool: parsing "x": invalid syntax'],
    [
      'json-file',
      { compress: 'true', 'max-size': '1m' },
      'compress cannot be true when max-file is less than 2 or max-size is not set',
    ],
    ['local', { 'max-size': 'x' }, "invalid value for max-size: x: invalid size: 'x'"],
    ['local', { 'max-file': '1' }, 'compression cannot be enabled when max file count is 1'],
    ['json-file', { mode: 'x' }, 'logger: logging mode not supported: x'],
    ['local', { 'max-buffer-size': '1m' }, "logger: max-buffer-size option is only supported with 'mode=non-blocking'"],
    [
      'local',
      { mode: 'non-blocking', 'max-buffer-size': '1x' },
      "error parsing option max-buffer-size: invalid suffix: 'x'",
    ],
    ['json-file', { 'cache-disabled': 'x' }, 'invalid value for option cache-disabled: x'],
    ['json-file', { 'labels-regex': '(' }, 'error parsing regexp: missing closing ): `(`'],
    ['json-file', { 'env-regex': '(?=a)' }, 'error parsing regexp: invalid or unsupported Perl syntax: `(?=`'],
    ['json-file', { tag: '{{.Foo}}' }, "log-tag: can't evaluate field Foo"],
    ['json-file', { tag: '{{if .ID}}x{{end}}' }, 'log-tag: {{if .ID}} is not supported'],
    ['json-file', { tag: '{{.ID}}{{.Name' }, 'log-tag: {{ is not supported'],
  ];
  for (const [driver, options, message] of cases)
    assert.throws(
      () => checkLogOptions(driver, options),
      (error) => isNetyardError(error) && error.message === message,
      message,
    );
});

test('non-blocking delivery is accepted with a warning, as no output is dropped', () => {
  assert.deepEqual(checkLogOptions('none', { anything: 'x' }), []);
  assert.deepEqual(checkLogOptions('local', { mode: 'blocking', 'cache-disabled': 'true' }), []);
  const [warning = '', ...more] = checkLogOptions('json-file', { mode: 'non-blocking', 'max-buffer-size': '4m' });
  assert.match(warning, /no output is dropped, and max-buffer-size has no effect/);
  assert.deepEqual(more, []);
});

test('attributes are the labels and variables that are named or match, and the tag', () => {
  const sources = { labels: { a: '1', b: '2', abc: '3' }, env: ['E=x=y', 'OTHER=', 'LAST'], tag };
  const cases: [Record<string, string>, string][] = [
    [{}, ''],
    [{ labels: 'a,c', env: 'E' }, '{"a":"1","E":"x=y"}'],
    [{ 'labels-regex': '^(?P<first>a)', 'env-regex': 'T' }, '{"a":"1","abc":"3","OTHER":"","LAST":""}'],
    [{ 'labels-regex': '(?i)^AB', 'env-regex': '\\AOTHER' }, '{"abc":"3","OTHER":""}'],
    [{ 'labels-regex': '^[[:alpha:]]{2,}$' }, '{"abc":"3"}'],
    [{ labels: 'b', 'labels-regex': '(?=a)' }, '{"b":"2"}'], // of an earlier version
    [{ tag: '{{.Name}}/{{ upper .ImageName }}-{{.ID}}' }, '{"tag":"web/NGINX:1-0123456789ab"}'],
    [{ tag: '' }, ''],
  ];
  for (const [options, expected] of cases) assert.equal(logAttributes(options, sources), expected);
});

// A search for the end of each would take 200 s.
test('a tag of a million actions without an end does not hold up the daemon', () => {
  assert.throws(() => checkLogOptions('json-file', { tag: '{{'.repeat(1_000_000) }), { code: 'invalid' });
});

test('a label of a foreign image does not hold up the daemon', () => {
  const options = { 'labels-regex': '^(a|aa)+$' };
  checkLogOptions('json-file', options);
  assert.equal(logAttributes(options, { labels: { [`${'a'.repeat(1000)}b`]: '' }, env: [], tag }), '');
});
