import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from './random.ts';
import { makeRequest } from './requests.ts';

/** Each archive is empty, and each request has a further header. */
class EmptyArchives extends Random {
  override chance(probability: number): boolean {
    return probability === 0.3 || probability === 0.15;
  }

  override below(limit: number): number {
    return limit === 200 ? 0 : super.below(limit);
  }
}

test('a client does not wait for the answer to an archive that it announces but never sends', () => {
  const route = { method: 'POST', path: '/images/load' };
  const random = new EmptyArchives(1);
  const requests = Array.from({ length: 500 }, () => makeRequest([route], random));
  assert.ok(requests.every(({ body }) => body === ''));
  const silent = requests.filter(({ head }) => /\r\n(Transfer-Encoding: chunked|Content-Length: 5)\r\n/.test(head));
  assert.ok(silent.length > 10 && silent.length < 200);
  assert.ok(silent.every(({ abortAfter }) => abortAfter === 0));
  assert.ok(requests.some(({ abortAfter }) => abortAfter === undefined));
});
