import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, renameSync } from 'node:fs';
import { test } from 'node:test';
import { formatTime } from './clock.ts';
import { isNetyardError, messageOf, reasonOf } from './errors.ts';
import { isFullId, newId } from './ids.ts';
import {
  formatIp,
  formatPrefix,
  ipFromBytes,
  ipToBytes,
  lastOf,
  networkOf,
  parseIp,
  parsePrefix,
  prefixContains,
  prefixesOverlap,
} from './ip.ts';
import { isUnicastMac, macFromIpv4, macFromIpv6, parseMac } from './mac.ts';
import { KeyedQueue } from './queue.ts';
import { withUndo } from './undo.ts';

test('IPv4 and IPv6 addresses are parsed and formatted in canonical form', () => {
  const cases: [string, string][] = [
    ['172.17.0.2', '172.17.0.2'],
    ['0.0.0.0', '0.0.0.0'],
    ['255.255.255.255', '255.255.255.255'],
    ['::', '::'],
    ['::1', '::1'],
    ['fe80:0:0:0:1:0:0:1', 'fe80::1:0:0:1'],
    ['2001:DB8:0:0:1::1', '2001:db8::1:0:0:1'],
    ['1:0:2:3:4:5:6:7', '1:0:2:3:4:5:6:7'],
    ['::ffff:1.2.3.4', '::ffff:102:304'],
    ['1::', '1::'],
  ];
  for (const [text, canonical] of cases) {
    assert.equal(formatIp(parseIp(text)), canonical);
    assert.deepEqual(ipFromBytes(ipToBytes(parseIp(text))), parseIp(text));
  }
});

test('invalid addresses and prefixes are rejected', () => {
  for (const text of ['', '1.2.3', '1.2.3.4.5', '256.0.0.1', '01.2.3.4', 'fe80::1%eth0', ':::', 'a'])
    assert.throws(
      () => parseIp(text),
      (e) => isNetyardError(e, 'invalid'),
    );
  for (const text of ['1.2.3.4', '1.2.3.4/33', '1.2.3.4/-1', '::/129', '1.2.3.4/8/8', '1.2.3.4/ 8'])
    assert.throws(
      () => parsePrefix(text),
      (e) => isNetyardError(e, 'invalid'),
    );
});

test('prefixes have a size, a network and a last address', () => {
  const bip = parsePrefix('192.168.11.1/24');
  assert.equal(formatPrefix(bip), '192.168.11.1/24');
  assert.equal(formatPrefix(networkOf(bip)), '192.168.11.0/24');
  assert.equal(formatIp(lastOf(bip)), '192.168.11.255');
  assert.ok(prefixContains(bip, parseIp('192.168.11.200')));
  assert.ok(!prefixContains(bip, parseIp('192.168.12.1')));
  assert.ok(prefixesOverlap(bip, parsePrefix('192.168.0.0/16')));
  assert.ok(!prefixesOverlap(bip, parsePrefix('192.168.12.0/24')));
  assert.ok(!prefixesOverlap(bip, parsePrefix('::/0')));
});

test('MAC addresses are parsed, formatted and derived from IPv4 addresses', () => {
  assert.equal(macFromIpv4(ipToBytes(parseIp('172.17.0.2'))), '02:42:ac:11:00:02');
  const mac = macFromIpv6(ipToBytes(parseIp('fd00::2')));
  assert.match(mac, /^[0-9a-f][26ae](:[0-9a-f]{2}){5}$/);
  assert.equal(macFromIpv6(ipToBytes(parseIp('fd00:0::2'))), mac);
  assert.notEqual(macFromIpv6(ipToBytes(parseIp('fd00::3'))), mac);
  assert.deepEqual([...parseMac('02-42-AC-11-00-02')], [2, 0x42, 0xac, 0x11, 0, 2]);
  assert.deepEqual([...parseMac('0242.ac11.0002')], [2, 0x42, 0xac, 0x11, 0, 2], 'as routers print it');
  assert.throws(() => parseMac('02:42'), /is not a valid mac address/);
  assert.deepEqual(
    ['02:42:ac:11:00:02', '00:00:00:00:00:01', '01:00:5e:00:00:01', 'ff:ff:ff:ff:ff:ff', '00:00:00:00:00:00'].map(
      (mac) => isUnicastMac(parseMac(mac)),
    ),
    [true, true, false, false, false],
  );
});

test('ids have the form of Docker ids', () => {
  assert.ok(isFullId(newId()));
});

test('times have nine decimals', () => {
  assert.equal(formatTime(1_700_000_000_123_456_789n), '2023-11-14T22:13:20.123456789Z');
});

test('a failed system call has the message of strerror(3)', () => {
  const refusal = (work: () => unknown): [string, string] => {
    try {
      work();
    } catch (error) {
      return [messageOf(error), reasonOf(error)];
    }
    return assert.fail('it was not refused');
  };
  const none = 'no such file or directory';
  assert.deepEqual(
    refusal(() => readFileSync('/no/such')),
    [`open /no/such: ${none}`, none],
  );
  assert.deepEqual(
    refusal(() => renameSync('/no/a', '/no/b')),
    [`rename /no/a /no/b: ${none}`, none],
  );
  assert.deepEqual(
    refusal(() => readFileSync('/')),
    ['read: is a directory', 'is a directory'],
  );
  assert.deepEqual(
    refusal(() => mkdirSync('/')),
    ['mkdir /: file exists', 'file exists'],
  );
  assert.equal(messageOf(new Error("ENOENT: from another source, open 'x'")), "ENOENT: from another source, open 'x'");
  assert.deepEqual([messageOf('text'), reasonOf(new Error('other'))], ['text', 'other']);
});

test('work on one key runs serially, also after a failure', async () => {
  const queue = new KeyedQueue();
  const seen: number[] = [];
  const slow = queue.run('a', async () => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    seen.push(1);
    throw new Error('first');
  });
  const next = queue.run('a', () => seen.push(2));
  await assert.rejects(slow, /first/);
  await next;
  assert.deepEqual(seen, [1, 2]);
});

test('a failure rolls back completed steps in reverse order and reports failures of the rollback', async () => {
  const seen: string[] = [];
  const work = withUndo(async (undo) => {
    undo.push(() => void seen.push('first'));
    undo.push(() => {
      seen.push('second');
      throw new Error('stuck');
    });
    throw new Error('failed');
  });
  await assert.rejects(
    work,
    (error) => isNetyardError(error) && /stuck/.test(error.hint ?? '') && error.message === 'failed',
  );
  assert.deepEqual(seen, ['second', 'first']);
});
