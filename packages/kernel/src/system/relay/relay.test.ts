/** Tests the pure parts of the relay: limits and the filter of clients. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeSocketAddress } from '../sockets.ts';
import { clientFilter } from './client-filter.ts';
import { limitsFor } from './limits.ts';

test('connections and sessions use at most a quarter of the open files each, and one port not all of them', () => {
  for (const files of [1024, 4096, 1_048_576, Number.POSITIVE_INFINITY]) {
    const { connections, connectionsPerPort, sessions, sessionsPerPort } = limitsFor(files);
    assert.ok(2 * connections + sessions <= files / 4 + 1, `${files}`);
    assert.ok(connections <= 2048 && connectionsPerPort < connections && sessionsPerPort < sessions);
  }
});

test('a prefix admits its own clients only', () => {
  const allows = (clients: string | undefined, address: string): boolean =>
    clientFilter({ address: '172.17.0.2', port: 80, ...(clients === undefined ? {} : { clients }) })(
      encodeSocketAddress(address, 1),
    );
  assert.ok(allows(undefined, '2001:db8::1'));
  assert.ok(allows('fd00:1::/64', 'fd00:1::9'));
  assert.ok(!allows('fd00:1::/64', 'fd00:2::9'));
});
