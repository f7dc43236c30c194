import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNetyardError } from '@netyard/core';
import { readPublishName } from './publish-name.ts';

test('the label is true, false or absent', () => {
  assert.equal(readPublishName({}), undefined);
  assert.equal(readPublishName({ 'netyard.publish-name': 'true' }), true);
  assert.equal(readPublishName({ 'netyard.publish-name': 'false' }), false);
  for (const text of ['', 'yes', 'TRUE', 'web'])
    assert.throws(
      () => readPublishName({ 'netyard.publish-name': text }),
      (error) => isNetyardError(error, 'invalid') && error.message.includes(JSON.stringify(text)),
    );
});
