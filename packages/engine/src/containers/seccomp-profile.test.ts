/** Seccomp profiles as Docker reads them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSecurityOptions } from './security-options.ts';

const parse = (profile: unknown) => parseSecurityOptions([`seccomp=${JSON.stringify(profile)}`]).seccomp;

test('a seccomp profile without an action and without rules disables seccomp', () => {
  for (const profile of [{}, null, { syscalls: null }, { flags: [] }]) assert.equal(parse(profile), 'unconfined');
  for (const text of ['', 'builtin']) assert.equal(parseSecurityOptions([`seccomp=${text}`]).seccomp, undefined);
});

test('fields of a seccomp profile match in any letter case, and null ones are missing', () => {
  const profile = parse({
    defaultaction: 'SCMP_ACT_ALLOW',
    archMap: null,
    architectures: null,
    syscalls: [{ name: 'chmod', ACTION: 'SCMP_ACT_ERRNO', args: [{ index: 1 }] }],
  });
  assert.ok(typeof profile === 'object');
  assert.deepEqual([profile.defaultAction, profile.archMap, profile.architectures], ['SCMP_ACT_ALLOW', [], []]);
  const [rule] = profile.syscalls;
  assert.deepEqual([rule?.names, rule?.action], [['chmod'], 'SCMP_ACT_ERRNO']);
  assert.deepEqual(rule?.args, [{ index: 1, value: 0, valueTwo: 0, op: '' }]);
});

test('a malformed seccomp profile is rejected in one line that says where', () => {
  const action = 'SCMP_ACT_ALLOW';
  const cases: [unknown, string][] = [
    [[], 'Decoding seccomp profile failed: Invalid input: expected object, received array'],
    [
      { defaultAction: 5 },
      'Decoding seccomp profile failed: defaultAction: Invalid input: expected string, received number',
    ],
    [
      { defaultAction: action, syscalls: [{ action, excludes: { minKernel: 'x' } }] },
      'Decoding seccomp profile failed: syscalls.0.excludes.minKernel: expected "<kernel>.<major>"',
    ],
    [
      { defaultAction: action, syscalls: [{ action, name: 'a', names: ['b'] }] },
      "both 'name' and 'names' are specified in the seccomp profile, use either 'name' or 'names'",
    ],
    [
      { defaultAction: action, architectures: ['a'], archMap: [{ architecture: 'a' }] },
      "both 'architectures' and 'archMap' are specified in the seccomp profile, use either 'architectures' or 'archMap'",
    ],
  ];
  for (const [profile, message] of cases) assert.throws(() => parse(profile), { code: 'invalid', message });
});
