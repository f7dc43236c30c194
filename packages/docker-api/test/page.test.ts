import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serve } from './client.ts';
import { second, someTime } from './fake-engine.ts';

test('the address of the topology page is issued, with its expiry', async (context) => {
  let issued = 0;
  const page = {
    issue: () => {
      issued += 1;
      return { url: `http://127.0.0.1:7420/#token=${issued}`, expires: someTime + second };
    },
  };
  const { send } = await serve(context, {}, {}, { page });
  const { status, body } = await send('POST', '/netyard/v1/page');
  assert.equal(status, 201);
  assert.deepEqual(JSON.parse(body), {
    Url: 'http://127.0.0.1:7420/#token=1',
    Expires: '2026-11-23T20:00:01.000000000Z',
  });
  assert.equal((await send('GET', '/netyard/v1/page')).status, 404, 'a GET issues none');
  assert.equal(issued, 1);
});

test('a daemon without the page says how to switch it on', async (context) => {
  const { send } = await serve(context, {});
  const { status, body } = await send('POST', '/netyard/v1/page');
  assert.equal(status, 409);
  assert.match(body, /serves no topology page\\nstart it with --web 127\.0\.0\.1:7420/);
});
