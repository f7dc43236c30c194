import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNetyardError } from '@netyard/core';
import { parseLab } from './definition.ts';

const lab = (hosts: string): string => `name: tutorial\nswitch: 172.16.0.0/16\nhosts:\n${hosts}\n`;

test("the tutorial's two servers", () => {
  const text = lab(
    '  server1: { address: 172.16.2.101/16, bip: 192.168.11.1/24 }\n  server2: { address: 172.16.2.102, daemon: false, options: [--icc=false] }',
  );
  assert.deepEqual(parseLab(text, 'lab.yaml'), {
    name: 'tutorial',
    switches: [{ name: 'switch', prefix: '172.16.0.0/16' }],
    hosts: [
      {
        name: 'server1',
        uplinks: [{ switch: 'switch', link: 'ens33', address: '172.16.2.101/16' }],
        bip: '192.168.11.1/24',
        daemon: true,
        daemonOptions: [],
      },
      {
        name: 'server2',
        uplinks: [{ switch: 'switch', link: 'ens33', address: '172.16.2.102/16' }],
        daemon: false,
        daemonOptions: ['--icc=false'],
      },
    ],
  });
});

test('what is wrong is said with file, line and place', () => {
  const cases: [string, RegExp][] = [
    ['name: [a', /^lab\.yaml:1: /],
    ['name: a\nname: b', /^lab\.yaml:2: .*unique/i],
    ['', /^lab\.yaml: .*expected object/],
    ['name: x\nswitch: 172.16.0.0/16', /^lab\.yaml:1: hosts: /],
    ['name: ../x\nswitch: 172.16.0.0/16\nhosts: { a: { address: 172.16.0.1 } }', /^lab\.yaml:1: name: letters/],
    ['name: x\nswitch: 172.16.0.0\nhosts: { a: { address: 172.16.0.1 } }', /^lab\.yaml:2: switch: invalid CIDR/],
    [lab('  {}'), /a lab needs a host/],
    [lab('  a/b: { address: 172.16.2.101 }'), /^lab\.yaml:4: hosts\.a\/b: /],
    [lab('  a: { address: 172.16.2.101, color: red }'), /^lab\.yaml:4: hosts\.a: .*color/],
    [lab('  a: { address: 172.16.2.101 }\n  b: { address: 172.16.2.101/16 }'), /^lab\.yaml:5: .*address of a already/],
    [lab('  a: { address: 172.17.2.101/16 }'), /^lab\.yaml:4: hosts\.a\.address: .*outside the switch, 172\.16\.0\.0/],
    [lab('  a: { address: 172.16.2.101/24 }'), /write 172\.16\.2\.101\/16/],
    [lab('  a: { address: 172.16.0.0/16 }'), /first or the last/],
    [lab('  a: { address: 172.16.255.255/16 }'), /first or the last/],
    [lab('  a: { address: nonsense }'), /invalid CIDR address: nonsense/],
    [lab('  a:\n    address: 172.16.2.101\n    bip: 192.168.11.1'), /^lab\.yaml:6: hosts\.a\.bip: invalid CIDR/],
    [lab('  a:\n    address: 172.16.2.101\n    bip: 172.16.9.1/24'), /^lab\.yaml:6: .*overlaps the switch/],
    [
      'name: x\nswitch: 172.16.0.0/12\nhosts:\n  a: { address: 172.16.2.101 }',
      /^lab\.yaml:4: hosts\.a: Docker's default network 172\.17\.0\.0\/16 overlaps/,
    ],
  ];
  for (const [text, message] of cases)
    assert.throws(
      () => parseLab(text, 'lab.yaml'),
      (error) => isNetyardError(error, 'invalid') && message.test(error.message),
      `${JSON.stringify(text)} should say ${message}`,
    );
});
