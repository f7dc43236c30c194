/** Generated bodies are valid and cover the field tables. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requestObjects } from '@netyard/api-types';
import { schemaOf } from '../packages/docker-api/src/schemas/schema-of.ts';
import { validBody } from './bodies.ts';
import { Random } from './random.ts';

for (const { request, fields } of requestObjects) {
  const route = request.replace('POST ', '').replace('{id}', ':id');
  test(`bodies of ${route} have the shapes of their field table and use every field`, () => {
    const random = new Random(1);
    const schema = schemaOf(fields);
    const used = new Set<string>();
    for (let count = 0; count < 5_000; count += 1) {
      const body = validBody(route, random);
      const result = schema.safeParse(body);
      assert.ok(result.success, `${JSON.stringify(body)}: ${result.error?.message}`);
      for (const name of Object.keys(body ?? {})) used.add(name);
    }
    assert.deepEqual([...used].sort(), Object.keys(fields).sort());
  });
}
