/** The page's listener with a certificate, as other hosts reach it. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { silentLogger, systemClock } from '@netyard/core';
import type { PageSources } from '@netyard/web';
import { openPage } from './web.ts';

const folder = mkdtempSync(join(tmpdir(), 'netyard-page-'));
after(() => rmSync(folder, { recursive: true }));
const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
const names = 'subjectAltName=DNS:host1.example,IP:127.0.0.1';
const keyType = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key];
execFileSync('openssl', ['req', '-x509', ...keyType, '-subj', '/CN=x', '-addext', names, '-out', certificate], {
  stdio: 'ignore',
});
chmodSync(key, 0o600);

/** The sources of a daemon without a page that is open: nothing is read. */
const sources = { clock: systemClock, logger: silentLogger } as PageSources;
const config = { host: '127.0.0.1', port: 0, actions: false, tls: { certificate, key } };

interface Answer {
  status: number | undefined;
  cookie: string | undefined;
}

function send(port: number, method: string, path: string, headers: Record<string, string>, body = ''): Promise<Answer> {
  const ca = readFileSync(certificate);
  return new Promise((resolve, reject) => {
    const servername = 'host1.example';
    const sent = request({ host: '127.0.0.1', servername, port, method, path, headers, ca, agent: false }, (answer) => {
      answer.resume();
      resolve({ status: answer.statusCode, cookie: answer.headers['set-cookie']?.[0] });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

test('with a certificate, its names open the page, and the cookie is for TLS only', async (context) => {
  const page = await openPage(config, sources);
  context.after(() => page.close());
  const { url } = page.issue();
  assert.match(url, /^https:\/\/host1\.example:\d+\/#token=[\w-]{43}$/);
  const { port, hash } = new URL(url);
  const visit = (host: string) => send(Number(port), 'GET', '/', { Host: host });
  for (const host of [`host1.example:${port}`, `127.0.0.1:${port}`])
    assert.equal((await visit(host)).status, 200, host);
  for (const host of [`localhost:${port}`, 'host1.example', `other.example:${port}`])
    assert.equal((await visit(host)).status, 403, host);
  const headers = { Host: `host1.example:${port}`, 'X-Netyard-Page': '1', 'Content-Type': 'application/json' };
  const body = JSON.stringify({ token: hash.replace('#token=', '') });
  const { status, cookie } = await send(Number(port), 'POST', '/api/session', headers, body);
  assert.equal(status, 200);
  assert.match(cookie ?? '', /^__Host-netyard=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Secure$/);
});

test('a key that others can read, and a file that is no certificate, are rejected', async () => {
  const open = join(folder, 'open.pem');
  execFileSync('cp', [key, open]);
  chmodSync(open, 0o644);
  await assert.rejects(openPage({ ...config, tls: { certificate, key: open } }, sources), /are too open/);
  await assert.rejects(openPage({ ...config, tls: { certificate: key, key } }, sources), /cannot read the certificate/);
});
