import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMountOptions, parseMountPoints, planMountCalls } from './mount-options.ts';

test('options of mount(8) become flags where mount(2) has one, the last one winning, and data otherwise', () => {
  assert.deepEqual(parseMountOptions(''), { flags: 0, data: '' });
  assert.deepEqual(parseMountOptions('size=10m,ro,noexec,uid=1,rw,defaults'), { flags: 0x8, data: 'size=10m,uid=1' });
  assert.deepEqual(parseMountOptions('rbind,rslave'), { flags: 0x1000 | 0x4000 | 0x80000, data: '' });
});

test('the propagation and the read-only flag of a bind mount need separate calls', () => {
  const call = { source: '/a', type: 'none', data: '' };
  assert.deepEqual(planMountCalls({ ...call, flags: 0x1001 | 0x100000 }), [
    { ...call, flags: 0x1001 },
    { source: '', type: '', flags: 0x100000, data: '' },
    { source: '', type: '', flags: 0x1021, data: '' },
  ]);
  assert.equal(planMountCalls({ source: 'tmpfs', type: 'tmpfs', flags: 1, data: '' }).length, 1);
});

test('mount points with blanks are unescaped', () => {
  const text = '22 1 0:5 / /dev rw shared:2 - devtmpfs dev rw\n23 1 0:6 / /a\\040b\\134 rw - tmpfs tmpfs rw\n';
  assert.deepEqual(parseMountPoints(text), ['/dev', '/a b\\']);
});
