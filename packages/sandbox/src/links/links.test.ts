import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkLink } from './check.ts';
import { linkEnvironment } from './environment.ts';
import { LinkIndex } from './index.ts';
import { parseLink, splitLinkName } from './parse.ts';

test('the three ways to write a link', () => {
  const cases: [string, string, string][] = [
    ['nginx-1', 'nginx-1', 'nginx-1'],
    ['nginx-1:web1', 'nginx-1', 'web1'],
    ['/nginx-1:/nginx-3/web1', 'nginx-1', 'web1'],
    ['parent/alias', 'parent/alias', 'alias'],
  ];
  for (const [text, target, alias] of cases) assert.deepEqual(parseLink(text), { target, alias });
  assert.throws(() => parseLink(''), /empty string specified for links/);
  for (const text of ['a:b:c', ':b', 'a:', 'a:b c', 'a:b\nc', 'a:b#c'])
    assert.throws(() => parseLink(text), { message: `bad format for links: ${text}`, code: 'invalid' });
});

test('a link name is parent and alias, with or without a leading slash', () => {
  assert.deepEqual(splitLinkName('/nginx-3/web1'), { parent: 'nginx-3', alias: 'web1' });
  assert.deepEqual(splitLinkName('nginx-3/web1'), { parent: 'nginx-3', alias: 'web1' });
  for (const name of ['nginx-3', '/nginx-3', 'a/b/c', 'a/']) assert.equal(splitLinkName(name), undefined);
});

test('the index finds links by parent and by child, in the order given', () => {
  const links = new LinkIndex();
  links.put({ parentId: 'p', childId: 'b', alias: 'two', position: 1 });
  links.put({ parentId: 'p', childId: 'a', alias: 'one', position: 0 });
  links.put({ parentId: 'q', childId: 'a', alias: 'one' });
  assert.deepEqual(
    links.ofParent('p').map(({ alias }) => alias),
    ['one', 'two'],
  );
  assert.equal(links.ofChild('a').length, 2);
  links.put({ parentId: 'p', childId: 'c', alias: 'one' });
  assert.deepEqual(
    links.ofChild('a').map(({ parentId }) => parentId),
    ['q'],
  );
  links.delete({ parentId: 'p', childId: 'a', alias: 'one' });
  assert.deepEqual(links.ofChild('c'), [], "deleted by parent and alias, whatever the caller's child is");
});

test('the check of a link fails with the messages of Docker', () => {
  const link = { parentName: 'p', alias: 'a', childName: 'c', childId: 'id', childRuns: true, childOnBridge: true };
  checkLink(link);
  assert.throws(() => checkLink({ ...link, childRuns: false }), {
    message: 'Cannot link to a non running container: /c AS /p/a',
    code: 'failed',
  });
  assert.throws(() => checkLink({ ...link, childOnBridge: false }), {
    message: 'container id not attached to default bridge network',
  });
});

test('legacy variables: TCP first, ranges, and the variables of the child except HOME and PATH', () => {
  const lines = linkEnvironment({
    parentName: 'app',
    alias: 'my-db',
    childAddress: '172.17.0.2',
    childEnvironment: ['PATH=/bin', 'HOME=/', 'A=b=c', 'BARE'],
    exposed: [
      { protocol: 'udp', port: 53 },
      { protocol: 'tcp', port: 81 },
      { protocol: 'tcp', port: 80 },
    ],
  });
  assert.deepEqual(lines, [
    'MY_DB_PORT=tcp://172.17.0.2:80',
    ...['=tcp://172.17.0.2:80', '_ADDR=172.17.0.2', '_PORT=80', '_PROTO=tcp'].map((end) => `MY_DB_PORT_80_TCP${end}`),
    ...['=tcp://172.17.0.2:81', '_ADDR=172.17.0.2', '_PORT=81', '_PROTO=tcp'].map((end) => `MY_DB_PORT_81_TCP${end}`),
    'MY_DB_PORT_80_TCP_START=tcp://172.17.0.2:80',
    'MY_DB_PORT_80_TCP_PORT_START=80',
    'MY_DB_PORT_80_TCP_END=tcp://172.17.0.2:81',
    'MY_DB_PORT_80_TCP_PORT_END=81',
    ...['=udp://172.17.0.2:53', '_ADDR=172.17.0.2', '_PORT=53', '_PROTO=udp'].map((end) => `MY_DB_PORT_53_UDP${end}`),
    'MY_DB_NAME=/app/my-db',
    'MY_DB_ENV_A=b=c',
  ]);
});
