import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalString, familiarString, parseReference, referenceOf, withDefaultTag } from './reference.ts';

const hex = '0123456789abcdef'.repeat(4);

test('names are completed as in Docker and shown in their short form', () => {
  const cases: [string, string, string][] = [
    ['nginx', 'docker.io/library/nginx:latest', 'nginx:latest'],
    ['nginx:1.2', 'docker.io/library/nginx:1.2', 'nginx:1.2'],
    ['library/nginx', 'docker.io/library/nginx:latest', 'nginx:latest'],
    ['user/app', 'docker.io/user/app:latest', 'user/app:latest'],
    ['docker.io/nginx', 'docker.io/library/nginx:latest', 'nginx:latest'],
    ['index.docker.io/user/app:2', 'docker.io/user/app:2', 'user/app:2'],
    ['localhost/app', 'localhost/app:latest', 'localhost/app:latest'],
    ['localhost:5000/app', 'localhost:5000/app:latest', 'localhost:5000/app:latest'],
    ['127.0.0.1:5000/a/b/c:x', '127.0.0.1:5000/a/b/c:x', '127.0.0.1:5000/a/b/c:x'],
    ['[fd00::1]:5000/app', '[fd00::1]:5000/app:latest', '[fd00::1]:5000/app:latest'],
    ['a__b/c-.d', '', ''],
    ['Host/app', 'Host/app:latest', 'Host/app:latest'],
    [`nginx@sha256:${hex}`, `docker.io/library/nginx@sha256:${hex}`, `nginx@sha256:${hex}`],
    [`nginx:1@sha256:${hex}`, `docker.io/library/nginx:1@sha256:${hex}`, `nginx:1@sha256:${hex}`],
    ['docker.io/library/a/b', 'docker.io/library/a/b:latest', 'library/a/b:latest'],
  ];
  for (const [text, canonical, familiar] of cases) {
    if (canonical === '') {
      assert.throws(() => parseReference(text), /invalid reference format/, text);
      continue;
    }
    const reference = withDefaultTag(parseReference(text));
    assert.equal(canonicalString(reference), canonical);
    assert.equal(familiarString(reference), familiar);
  }
});

test('invalid names are rejected with Docker’s messages', () => {
  const long = 'a'.repeat(129);
  for (const text of [
    '',
    ' ',
    '-a',
    'a/',
    '/a',
    'a//b',
    'a:',
    `a:${long}`,
    'a:b:c',
    'a@sha256:12',
    'a b',
    '../a',
    'a@b@c',
    '[x]/a',
  ]) {
    assert.throws(() => parseReference(text), { code: 'invalid', message: 'invalid reference format' }, text);
  }
  const unknown = { code: 'invalid', message: 'unsupported digest algorithm' };
  assert.throws(() => parseReference(`a@md5:${hex.slice(32)}`), unknown);
  assert.throws(() => parseReference(`a@sha512:${hex}`), { message: 'invalid checksum digest length' });
  assert.throws(() => parseReference('Nginx'), {
    message: 'invalid reference format: repository name (library/Nginx) must be lowercase',
  });
  assert.throws(() => parseReference('host.tld/App:X'), {
    message: 'invalid reference format: repository name (App) must be lowercase',
  });
  assert.throws(() => parseReference(hex), {
    message: `invalid repository name (${hex}), cannot specify 64-byte hexadecimal strings`,
  });
  assert.throws(() => parseReference('a'.repeat(300)), /must not be more than 255 characters/);
});

test('a repository and a tag make a reference', () => {
  assert.equal(familiarString(referenceOf('app', '')), 'app:latest');
  assert.equal(familiarString(referenceOf('app', 'x')), 'app:x');
  assert.throws(() => referenceOf('app', 'a/b'), /invalid tag format/);
  assert.throws(() => referenceOf(`app@sha256:${hex}`, ''), /digest reference/);
});
