/** Which interfaces of the host are Netyard's, and of which network. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isLinkOf, isOwnLink } from './own-links.ts';

const id = '0123456789abcdef'.repeat(4);
const segment = ['nyb012345678901', 'nyt0123456789zz', 'nyu01234567890a'];

test('interfaces of containers, bridges and segments are Netyard’s own, and others are not', () => {
  for (const name of ['ny-0123456789ab', 'br-0123456789ab', ...segment]) assert.ok(isOwnLink(name), name);
  for (const name of ['eth0', 'br-lan', 'nyb0', 'nyx012345678901', 'nyb0123456789012'])
    assert.ok(!isOwnLink(name), name);
});

test('a bridge, by its default or its chosen name, and segments belong to their network', () => {
  for (const name of ['br-0123456789ab', ...segment]) assert.ok(isLinkOf({ id, options: {} }, name), name);
  assert.ok(isLinkOf({ id, options: { 'com.docker.network.bridge.name': 'lan0' } }, 'lan0'));
  assert.ok(!isLinkOf({ id: 'f'.repeat(64), options: {} }, 'nyb012345678901'));
});
