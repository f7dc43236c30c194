import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Attributes, encodeAttributes, u16 } from '../attribute.ts';
import { decodeIpvlan, encodeIpvlan } from './ipvlan-message.ts';
import { decodeLink, encodeIpvlanLink } from './link.ts';

test('every mode with every flag is decoded as it was encoded', () => {
  for (const mode of ['l2', 'l3', 'l3s'] as const)
    for (const flag of ['bridge', 'private', 'vepa'] as const) {
      assert.deepEqual(decodeIpvlan(new Attributes(encodeAttributes(encodeIpvlan({ mode, flag })))), { mode, flag });
      const link = decodeLink(encodeIpvlanLink({ name: 'eth0' }, 3, { mode, flag }));
      assert.deepEqual([link.kind, link.peerIndex, link.ipvlan], ['ipvlan', 3, { mode, flag }]);
    }
});

test('a kernel without flags has the flag bridge, and unknown values are not decoded', () => {
  const decode = (...attributes: Parameters<typeof encodeAttributes>[0]) =>
    decodeIpvlan(new Attributes(encodeAttributes(attributes)));
  assert.deepEqual(decode(u16(1, 0)), { mode: 'l2', flag: 'bridge' });
  assert.equal(decode(u16(1, 7), u16(2, 0)), undefined);
  assert.equal(decode(u16(1, 0), u16(2, 3)), undefined);
});
