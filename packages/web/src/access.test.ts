import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkRequest, hostNames, loopbackHosts } from './access.ts';

const own = { scheme: 'http', hosts: loopbackHosts('127.0.0.1', 7420) } as const;

function statusOf(headers: Record<string, string>, method = 'GET', url = '/api/stream'): number {
  const all: Record<string, string> = { Host: '127.0.0.1:7420', 'X-Netyard-Page': '1', ...headers };
  return checkRequest({ method, url, rawHeaders: Object.entries(all).flat() }, own)?.status ?? 200;
}

test('the page’s own requests are accepted', () => {
  assert.equal(statusOf({}), 200);
  assert.equal(statusOf({ Host: 'LOCALHOST:7420', 'Sec-Fetch-Site': 'none' }, 'GET', '/'), 200);
  assert.equal(statusOf({ Host: '[::1]:7420', Origin: 'http://[::1]:7420', 'Sec-Fetch-Site': 'same-origin' }), 200);
  assert.equal(statusOf({ 'Content-Type': 'application/json; charset=utf-8' }, 'POST'), 200);
});

test('a Host that is not this server’s is refused: DNS rebinding', () => {
  for (const host of [
    'rebind.example:7420',
    '127.0.0.1',
    '127.0.0.1:80',
    '',
    'localhost.example:7420',
    '10.0.0.1:7420',
  ])
    assert.equal(statusOf({ Host: host }), 403, host);
  const twice = ['Host', '127.0.0.1:7420', 'host', 'rebind.example'];
  assert.equal(checkRequest({ method: 'GET', url: '/', rawHeaders: twice }, own)?.status, 400);
  assert.equal(checkRequest({ method: 'GET', url: '/', rawHeaders: [] }, own)?.status, 400);
});

test('requests that another site causes are refused', () => {
  for (const origin of ['http://evil.example', 'null', 'https://127.0.0.1:7420', 'http://127.0.0.1:8080'])
    assert.equal(statusOf({ Origin: origin }), 403, origin);
  for (const site of ['cross-site', 'same-site', 'Same-Origin'])
    assert.equal(statusOf({ 'Sec-Fetch-Site': site }, 'GET', '/'), 403, site);
});

test('a request to the API needs the page’s own header, a POST also JSON', () => {
  const without = { Host: '127.0.0.1:7420' };
  const check = (method: string, url: string): number | undefined =>
    checkRequest({ method, url, rawHeaders: Object.entries(without).flat() }, own)?.status;
  assert.equal(check('GET', '/api/stream'), 403);
  assert.equal(check('POST', '/api/session'), 403);
  assert.equal(check('GET', '/'), undefined);
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonp'])
    assert.equal(statusOf({ 'Content-Type': type }, 'POST'), 415, type);
  assert.equal(statusOf({}, 'POST'), 415);
  for (const method of ['OPTIONS', 'PUT', 'DELETE', 'HEAD']) assert.equal(statusOf({}, method), 405, method);
  assert.equal(statusOf({}, 'GET', 'http://evil.example/'), 400);
});

test('the scheme’s own port may be omitted', () => {
  assert.deepEqual(
    [...hostNames(['Host1', '10.0.0.1'], 'https', 443)],
    ['host1', 'host1:443', '10.0.0.1', '10.0.0.1:443'],
  );
  assert.deepEqual([...hostNames(['host1', 'fd00::1'], 'https', 7420)], ['host1:7420', '[fd00::1]:7420']);
});

test('the header is needed for every spelling of a path below /api/, and other targets are refused', () => {
  const status = (url: string): number | undefined =>
    checkRequest({ method: 'GET', url, rawHeaders: ['Host', '127.0.0.1:7420'] }, own)?.status;
  for (const url of ['/./api/stream', '/x/../api/stream', '/%2e/api/stream', '/x\\..\\api/stream'])
    assert.equal(status(url), 403, url);
  for (const url of ['//x/api/stream', '/\\x/api/stream', '//', '//[', 'http://127.0.0.1:7420/api/stream', '*', ''])
    assert.equal(status(url), 400, url);
  assert.equal(status('/assets/x.js'), undefined);
});
