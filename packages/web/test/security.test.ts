/** What the page's server refuses, as an attacker's requests reach it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { test } from 'node:test';
import { silentLogger } from '@netyard/core';
import { servePage } from './page-server.ts';

test('a token opens a session once; cookie and key together open the API', async (context) => {
  const { send, sessions, login } = await servePage(context);
  const { token } = sessions.issueToken();
  const body = JSON.stringify({ token });
  const opened = await send('POST', '/api/session', {}, body);
  assert.equal(opened.status, 200);
  assert.match(opened.headers['set-cookie']?.[0] ?? '', /^netyard-\d+=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
  const replayed = await send('POST', '/api/session', {}, body);
  assert.deepEqual([replayed.status, replayed.headers['set-cookie']], [401, undefined]);
  assert.match(replayed.body, /unknown, used or expired/);
  const session = await login();
  assert.match((await send('GET', '/api/stream', session)).body, /^event: snapshot\ndata: {"items":\[]}\n\n$/);
  assert.equal((await send('GET', '/api/explain?ref=web', session)).body, '{"script":"# web"}');
  assert.equal((await send('POST', '/api/capture', session, '{"target":"web"}')).body, 'pcapng');
  const ends = '{"from":"netyard/web","to":"fd00::2","port":80,"protocol":"tcp"}';
  assert.match((await send('POST', '/api/trace', session, ends)).body, /"sentence":"netyard\/web reaches fd00::2\."/);
});

test('every route of the API but the exchange needs cookie and key', async (context) => {
  const { send, login } = await servePage(context);
  const session = await login();
  const other = await login();
  const routes = ['GET /api/stream', 'GET /api/explain?ref=a', 'GET /api/rules?ref=a', 'GET /api/checks'];
  for (const route of [...routes, 'GET /api/session', 'POST /api/capture', 'POST /api/trace']) {
    const [method = '', path = ''] = route.split(' ');
    const incomplete: Record<string, string>[] = [
      {},
      { ...session, Cookie: '' },
      { ...session, 'X-Netyard-Key': '' },
      { ...session, 'X-Netyard-Key': other['X-Netyard-Key'] ?? '' },
      { ...session, Cookie: `${session['Cookie']}; ${other['Cookie']}` },
    ];
    for (const headers of incomplete)
      assert.equal((await send(method, path, headers, '{"target":"a"}')).status, 401, route);
  }
});

test('another site, a rebinding name and a form reach nothing, not even with a session', async (context) => {
  const { send, login, sessions } = await servePage(context);
  const session = await login();
  const { token } = sessions.issueToken();
  const refused: [status: number, headers: Record<string, string>][] = [
    [403, { Host: 'rebind.example' }],
    [403, { Origin: 'http://evil.example' }],
    [403, { Origin: 'null' }],
    [403, { 'Sec-Fetch-Site': 'cross-site' }],
    [403, { 'Sec-Fetch-Site': 'same-site' }],
    [403, { 'X-Netyard-Page': '' }],
  ];
  for (const [status, headers] of refused) {
    for (const [method, path] of [
      ['GET', '/api/stream'],
      ['GET', '/api/checks'],
      ['POST', '/api/session'],
      ['POST', '/api/capture'],
      ['POST', '/api/trace'],
    ] as const) {
      const answer = await send(method, path, { ...session, ...headers }, JSON.stringify({ token, target: 'a' }));
      assert.equal(answer.status, status, `${method} ${path} ${JSON.stringify(headers)}`);
      assert.equal(answer.headers['access-control-allow-origin'], undefined);
    }
  }
  assert.equal((await send('GET', '/', { 'Sec-Fetch-Site': 'cross-site' })).status, 403);
  assert.equal((await send('GET', '/', { Host: 'rebind.example' })).status, 403);
  assert.equal(
    (await send('POST', '/api/session', { 'Content-Type': 'text/plain' }, `{"token":"${token}"}`)).status,
    415,
  );
  assert.equal((await send('OPTIONS', '/api/session', { Origin: 'http://evil.example' })).status, 403);
  assert.equal(
    (await send('POST', '/api/session', {}, JSON.stringify({ token }))).status,
    200,
    'the token is still good',
  );
});

test('the page may not be framed and loads nothing from elsewhere', async (context) => {
  const { send } = await servePage(context);
  const { status, headers } = await send('GET', '/', { 'Sec-Fetch-Site': 'none', 'X-Netyard-Page': '' });
  const policy = String(headers['content-security-policy']);
  assert.equal(status, 200);
  assert.match(policy, /default-src 'none'; script-src 'self'; style-src 'self';/);
  assert.match(policy, /frame-ancestors 'none'/);
  assert.equal(headers['x-frame-options'], 'DENY');
  assert.equal(headers['x-content-type-options'], 'nosniff');
  assert.equal(headers['cache-control'], 'no-store');
});

test('the Docker API and files outside of the bundle are not here', async (context) => {
  const { send, login } = await servePage(context);
  const session = await login();
  for (const path of ['/containers/json', '/v1.52/info', '/netyard/v1/topology', '/assets/../../package.json', '/api'])
    assert.equal((await send('GET', path, session)).status, 404, path);
});

test('captures and traces are refused without --web-actions; bodies are checked', async (context) => {
  const off = await servePage(context, { actions: false });
  const answer = await off.send('POST', '/api/capture', await off.login(), '{"target":"web"}');
  assert.equal(answer.status, 403);
  assert.match(answer.body, /--web-actions/);
  const ends = { from: 'netyard/a', to: 'netyard/b', protocol: 'icmp' };
  const trace = await off.send('POST', '/api/trace', await off.login(), JSON.stringify(ends));
  assert.deepEqual([trace.status, /--web-actions/.test(trace.body)], [403, true]);
  const { send, login } = await servePage(context);
  const session = await login();
  for (const body of [
    '',
    '{',
    '{"target":""}',
    '{"target":"a","count":0}',
    '{"target":"a","more":1}',
    'x'.repeat(5_000),
  ])
    assert.equal((await send('POST', '/api/capture', session, body)).status, 400, body.slice(0, 30));
  for (const body of [
    { ...ends, from: '--help' },
    { ...ends, to: 'a b' },
    { ...ends, to: 'a\n' },
    { ...ends, to: '' },
    { ...ends, port: 80 },
    { ...ends, protocol: 'tcp' },
    { ...ends, protocol: 'tcp', port: 70_000 },
    { ...ends, more: 1 },
  ])
    assert.equal((await send('POST', '/api/trace', session, JSON.stringify(body))).status, 400, JSON.stringify(body));
  assert.equal((await send('GET', '/api/explain', session)).status, 400);
});

test('more pages than allowed are refused, until one is closed', async (context) => {
  const { send, login, port } = await servePage(context);
  const [session, other, third] = [await login(), await login(), await login()];
  const streams = Array.from({ length: 32 }, () => new AbortController());
  for (const [index, { signal }] of streams.entries()) {
    const own = index < 16 ? session : other;
    if (index === 16) assert.equal((await send('GET', '/api/stream', session)).status, 503, 'a session has 16');
    await openStream(port, { Host: `127.0.0.1:${port}`, 'X-Netyard-Page': '1', ...own }, signal);
  }
  assert.equal((await send('GET', '/api/stream', third)).status, 503);
  streams[0]?.abort();
  let status = 503;
  while (status === 503) ({ status } = await send('GET', '/api/stream', third));
  assert.equal(status, 200);
  for (const stream of streams) stream.abort();
});

test('connections without a session do not keep others from the page, and close none that has one', async (context) => {
  const { send, login, port } = await servePage(context);
  const session = await login();
  const stream = new AbortController();
  let isOpen = true;
  const opened = openStream(
    port,
    { Host: `127.0.0.1:${port}`, 'X-Netyard-Page': '1', ...session },
    stream.signal,
    () => {
      isOpen = false;
    },
  );
  await opened;
  // More than the server accepts in all: they send nothing, and stay until they are closed.
  const idle = Array.from({ length: 200 }, () => connect(port, '127.0.0.1').on('error', () => undefined));
  context.after(() => {
    for (const socket of idle) socket.destroy();
    stream.abort();
  });
  await Promise.all(idle.map((socket) => once(socket, 'connect')));
  assert.equal((await send('GET', '/')).status, 200);
  assert.equal((await send('GET', '/api/checks', session)).status, 200);
  const closed = idle.slice(0, 100).map((socket) => socket.closed || once(socket.resume(), 'close'));
  await Promise.all(closed);
  assert.ok(isOpen, 'the stream of the session stays');
});

test('a connection that ends before its body leaves no error in the log', async (context) => {
  const errors: string[] = [];
  const logger = { ...silentLogger, error: (message: string) => void errors.push(message) };
  const { port, send } = await servePage(context, { logger });
  const headers = { Host: `127.0.0.1:${port}`, 'X-Netyard-Page': '1', 'Content-Type': 'application/json' };
  const path = '/api/session';
  const sent = request({ host: '127.0.0.1', port, method: 'POST', path, agent: false, headers });
  sent.setHeader('Content-Length', 100);
  sent.on('error', () => undefined);
  await new Promise<void>((resolve) => sent.write('{', () => resolve()));
  await send('GET', '/');
  sent.destroy();
  await send('GET', '/');
  await send('GET', '/');
  assert.deepEqual(errors, []);
});

/** Resolves when the stream has begun. */
function openStream(
  port: number,
  headers: Record<string, string>,
  signal: AbortSignal,
  closed?: () => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path: '/api/stream', headers, agent: false }, (answer) => {
      answer.resume();
      answer.once('close', () => closed?.());
      if (answer.statusCode === 200) resolve();
      else reject(new Error(`status ${answer.statusCode}`));
    });
    sent.on('error', (error) => (signal.aborted ? undefined : reject(error)));
    signal.addEventListener('abort', () => sent.destroy());
    sent.end();
  });
}
