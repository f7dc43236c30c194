import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeRules, selectElements } from './rules.ts';

const elements = [
  { set: 'published_any', key: 'tcp . 8801', value: '172.17.0.2 . 80' },
  { set: 'published', key: '10.0.0.1 . tcp . 8802', value: '172.17.0.2 . 81' },
  { set: 'published_any', key: 'tcp . 18801', value: '172.17.0.2 . 82' },
  { set: 'link_allow', key: '172.17.0.3 . 172.17.0.2 . tcp . 80', comment: 'link aaaaaaaaaaaa to bbbbbbbbbbbb' },
  { set: 'no_icc_bridges', key: '"docker0" . "docker0"' },
  { set: 'gateways', key: '172.17.0.1' },
];
const texts = (some: typeof elements): string[] => describeRules(some, ({ set }) => set).map(({ text }) => text);

test('elements are described for their two ends; sets that say nothing about two ends are omitted', () => {
  assert.deepEqual(texts(elements), [
    'any address, port 8801/tcp leads to 172.17.0.2:80',
    '10.0.0.1:8802/tcp leads to 172.17.0.2:81',
    'any address, port 18801/tcp leads to 172.17.0.2:82',
    'the link accepts 172.17.0.3 → 172.17.0.2 80/tcp',
    'containers on docker0 reach each other only by links and published ports (icc=false)',
  ]);
  assert.deepEqual(describeRules(elements.slice(-2), ({ key }) => key)[0], {
    effect: 'forbids',
    text: 'containers on docker0 reach each other only by links and published ports (icc=false)',
    command: '"docker0" . "docker0"',
  });
});

test('the elements of one port and of one link are selected', () => {
  assert.deepEqual(selectElements(elements, { hostPort: 8801, protocol: 'tcp' }), [elements[0]]);
  assert.deepEqual(selectElements(elements, { hostPort: 8802, protocol: 'tcp' }), [elements[1]]);
  assert.deepEqual(selectElements(elements, { hostPort: 8801, protocol: 'udp' }), []);
  assert.deepEqual(selectElements(elements, { linkTo: 'b'.repeat(64) }), [elements[3]]);
  assert.deepEqual(selectElements(elements, { linkTo: 'a'.repeat(64) }), []);
});
