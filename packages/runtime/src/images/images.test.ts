/** The pure parts below images: layer checks, challenges, insecure registries, modes and paths. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tarHeader } from '@netyard/core';
import { splitPath } from '../rootfs/root-paths.ts';
import { checkLayerEntry } from './layer-check.ts';
import { baseName, goFileMode, wantsFolder } from './path-stat.ts';
import { parseChallenges } from './registry/challenge.ts';
import { findEndpoint, parseInsecureRegistries } from './registry/endpoint.ts';
import { refusalOf } from './registry/errors.ts';

test('entries of layers are checked', () => {
  type Values = Parameters<typeof tarHeader>[0];
  const fine: Values[] = [
    { name: './etc/passwd', type: 'file' },
    { name: '/abs', type: 'file' },
    { name: 'a/../b', type: 'file' },
    { name: 'l', type: 'symlink', linkname: '/../..' },
    { name: 'a/b/l', type: 'symlink', linkname: '../../etc' },
    { name: 'l', type: 'link', linkname: '/etc/passwd' },
    { name: 'dev/tty0', type: 'character-device', devmajor: 4, devminor: 0 },
    { name: 'dev/net/tun', type: 'character-device', devmajor: 10, devminor: 200 },
    { name: 'x', type: 'file', xattrs: new Map([['security.capability', Buffer.from('x')]]) },
  ];
  for (const values of fine) checkLayerEntry(tarHeader(values));
  const bad: Values[] = [
    { name: '..', type: 'directory' },
    { name: 'a/../../b', type: 'file' },
    { name: 'a/l', type: 'symlink', linkname: '../../etc' },
    { name: 'l', type: 'link', linkname: '../etc/passwd' },
    { name: 'dev/kmem', type: 'character-device', devmajor: 1, devminor: 2 },
    { name: 'dev/null', type: 'block-device', devmajor: 1, devminor: 3 },
    { name: 'wh', type: 'character-device' },
    { name: 'x', type: 'directory', xattrs: new Map([['trusted.overlay.opaque', Buffer.from('y')]]) },
    { name: 'x', type: 'unknown' },
  ];
  for (const values of bad)
    assert.throws(() => checkLayerEntry(tarHeader(values)), { code: 'invalid' }, JSON.stringify(values));
});

test('challenges of registries are parsed', () => {
  assert.deepEqual(parseChallenges('Basic realm="a, \\"b\\""'), [{ scheme: 'basic', parameters: { realm: 'a, "b"' } }]);
  assert.deepEqual(parseChallenges('Bearer realm="https://x/t",service=s,scope="a:b:pull,push", Basic realm=r'), [
    { scheme: 'bearer', parameters: { realm: 'https://x/t', service: 's', scope: 'a:b:pull,push' } },
    { scheme: 'basic', parameters: { realm: 'r' } },
  ]);
  assert.deepEqual(parseChallenges(''), []);
  assert.deepEqual(parseChallenges('="'), []);
});

test('insecure registries match by host, port and range', async () => {
  const given = parseInsecureRegistries(['10.0.0.0/8', 'reg.example:5000', '192.0.2.1']);
  const insecure = async (domain: string) => (await findEndpoint(domain, given, '/nowhere')).insecure;
  for (const domain of ['127.0.0.1:5000', '127.9.9.9', '[::1]:5000', '10.1.2.3', 'reg.example:5000', '192.0.2.1:99']) {
    assert.equal(await insecure(domain), true, domain);
  }
  for (const domain of ['11.0.0.1', '[fd00::1]:5000']) assert.equal(await insecure(domain), false, domain);
  assert.throws(() => parseInsecureRegistries(['http://x/']), { code: 'invalid' });
});

test('registry errors get Docker’s messages', () => {
  const body = '{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":{}}]}';
  const refused = refusalOf(404, body, 'GET x');
  assert.deepEqual([refused.code, refused.message], ['not-found', 'manifest unknown: manifest unknown']);
  assert.equal(
    refusalOf(429, '{"errors":[{"code":"TOOMANYREQUESTS"}]}', '').message,
    'toomanyrequests: toomanyrequests',
  );
  assert.equal(refusalOf(500, '<html>', '').message, 'received unexpected HTTP status: 500');
  assert.equal(refusalOf(401, '', '').code, 'unauthorized');
});

test('paths and modes for docker cp are converted', () => {
  assert.deepEqual(splitPath('/a/./b/../c/'), { parent: '/a', name: 'c' });
  assert.deepEqual(splitPath('/'), { parent: '/', name: '' });
  assert.deepEqual(splitPath('../../x'), { parent: '/', name: 'x' });
  assert.deepEqual(['/', '', '/a/', '/a/.', '.', '/a', '/a.', '/.a'].map(wantsFolder), [
    true,
    true,
    true,
    true,
    true,
    false,
    false,
    false,
  ]);
  assert.deepEqual(['/', '/a/b/', 'a', '/a/.'].map(baseName), ['/', 'b', 'a', '.']);
  assert.equal(goFileMode(0o100644), 0o644);
  assert.equal(goFileMode(0o041777), 0x8010_0000 + 0o777);
  assert.equal(goFileMode(0o020666), 0x0420_0000 + 0o666);
});
