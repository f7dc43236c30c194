/** The daemon as a process: sockets, locks, signals, invalid options; it leaves nothing behind. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { type RequestOptions, request } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { inFreshHost } from '@netyard/testkit';
import { makeFolders, spawnDaemon, startDaemon } from './daemon-process.ts';

const host = inFreshHost(import.meta.url, { cgroups: true });
const folders = host.skip === false ? makeFolders() : undefined;
after(() => folders?.remove());
const dataRoot = folders?.dataRoot ?? '';
const socket = folders?.socket ?? '';
const args = ['--data-root', dataRoot];

const ask = (make: typeof request, options: RequestOptions): Promise<string> =>
  new Promise((resolve, reject) => {
    const sent = make({ ...options, agent: false }, (answer) => {
      let body = '';
      answer.on('data', (piece) => {
        body += piece;
      });
      answer.on('end', () => resolve(body));
    });
    sent.on('error', reject);
    sent.end();
  });

const containerdsHere = (): string[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => /^containerd\0/.test(commandLine(pid)));

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return ''; // it has ended
  }
}

test('the daemon serves its socket, rejects a second daemon, and cleans up at SIGTERM', host, async () => {
  const daemon = await startDaemon(args);
  assert.equal(await ask(request, { socketPath: socket, path: '/_ping' }), 'OK');
  assert.equal(statSync(socket).mode & 0o777, 0o660);
  assert.equal(readFileSync('/run/netyard/netyard.pid', 'utf8'), `${daemon.child.pid}\n`);

  const same = spawnDaemon(args);
  assert.equal(await same.ended, 1);
  assert.match(same.log(), /another Netyard daemon uses/);
  const elsewhere = spawnDaemon(['--data-root', `${dataRoot}/other`, '--exec-root', '/run/other']);
  assert.equal(await elsewhere.ended, 1);
  assert.match(elsewhere.log(), /another Netyard daemon uses this host's network/);
  assert.equal(await ask(request, { socketPath: socket, path: '/_ping' }), 'OK');

  daemon.child.kill('SIGTERM');
  assert.equal(await daemon.ended, 0, daemon.log());
  assert.ok(!existsSync(socket));
  assert.deepEqual(
    readdirSync('/run/netyard').filter((name) => /lock|pid|sock/.test(name)),
    [],
  );
  assert.deepEqual(containerdsHere(), []);
});

test('a daemon restarted after kill -9 has the same socket and identity', host, async () => {
  const first = await startDaemon(args);
  const id = async (): Promise<unknown> => JSON.parse(await ask(request, { socketPath: socket, path: '/info' })).ID;
  const before = await id();
  first.child.kill('SIGKILL');
  await first.ended;
  const second = await startDaemon(args);
  assert.equal(await id(), before);
  second.child.kill('SIGINT');
  assert.equal(await second.ended, 0);
});

test('an endless stream does not keep it from ending', host, async () => {
  const daemon = await startDaemon(args);
  const events = request({ socketPath: socket, path: '/events', agent: false });
  events.on('error', () => {}); // it is cut off, as intended
  const answered = new Promise<void>((resolve) => events.on('response', () => resolve()));
  events.end();
  await answered;
  daemon.child.kill('SIGTERM');
  assert.equal(await daemon.ended, 0);
});

test('SIGHUP does not end it', host, async () => {
  const daemon = await startDaemon(args);
  daemon.child.kill('SIGHUP');
  assert.equal(await ask(request, { socketPath: socket, path: '/_ping' }), 'OK');
  daemon.child.kill('SIGTERM');
  assert.equal(await daemon.ended, 0);
  assert.match(daemon.log(), /SIGHUP/);
});

test('invalid options and files are reported, and nothing is created', host, async () => {
  const file = join(dataRoot, 'daemon.json');
  const refused = async (options: string[], pattern: RegExp): Promise<void> => {
    const daemon = spawnDaemon(['--data-root', `${dataRoot}/bad`, '--exec-root', '/run/bad', ...options]);
    assert.equal(await daemon.ended, 1, options.join(' '));
    assert.match(daemon.log(), pattern);
  };
  await refused(['--bip', '192.168.11.1/33'], /invalid CIDR address/);
  await refused(['--nonsense'], /unknown option '--nonsense'/);
  await refused(['--config-file', '/nonexistent'], /unable to configure the Netyard daemon with file/);
  writeFileSync(file, '{"bip": "10.9.0.1/24", "iccc": true}');
  await refused(['--config-file', file], /don't match any configuration option: iccc/);
  writeFileSync(file, '{"bip": "10.9.0.1/24"}');
  await refused(['--config-file', file, '--bip', '10.8.0.1/24'], /both as a flag and in the configuration file: bip/);
  assert.ok(!existsSync(`${dataRoot}/bad`));
  assert.ok(!existsSync('/run/bad'));
});

test('a subnet that the host routes elsewhere is rejected, and its containerd is not left behind', host, async () => {
  execFileSync('ip', ['link', 'add', 'up0', 'type', 'bridge']);
  execFileSync('ip', ['address', 'add', '172.16.2.101/16', 'dev', 'up0']);
  execFileSync('ip', ['link', 'set', 'up0', 'up']);
  const daemon = spawnDaemon([...args, '--bip', '172.16.9.1/24']);
  assert.equal(await daemon.ended, 1);
  assert.match(daemon.log(), /failed to start daemon: .*overlap/i);
  assert.deepEqual(containerdsHere(), []);
  assert.ok(!existsSync(socket));
});

test('tcp admits only clients with a certificate of the authority', host, async () => {
  const pem = (name: string): string => join(dataRoot, `${name}.pem`);
  makeCertificates(pem);
  const tls = ['--tlsverify', '--tlscacert', pem('ca'), '--tlscert', pem('server'), '--tlskey', pem('server-key')];
  chmodSync(pem('server-key'), 0o644);
  const refused = spawnDaemon([...args, ...tls, '-H', 'tcp://127.0.0.1:2376', '-H', `unix://${socket}`]);
  assert.equal(await refused.ended, 1);
  assert.match(refused.log(), /permissions 0644 of the TLS key .* are too open[\s\S]*chmod 600/);
  chmodSync(pem('server-key'), 0o600);
  const daemon = await startDaemon([...args, ...tls, '-H', 'tcp://127.0.0.1:2376', '-H', `unix://${socket}`]);
  const to = { host: '127.0.0.1', port: 2376, path: '/_ping', ca: readFileSync(pem('ca')) };
  const known = { cert: readFileSync(pem('client')), key: readFileSync(pem('client-key')) };
  assert.equal(await ask(tlsRequest, { ...to, ...known }), 'OK');
  await assert.rejects(ask(tlsRequest, to));
  await assert.rejects(ask(request, { host: '127.0.0.1', port: 2376, path: '/_ping' }));
  assert.equal(await ask(request, { socketPath: socket, path: '/_ping' }), 'OK');
  daemon.child.kill('SIGTERM');
  assert.equal(await daemon.ended, 0, daemon.log());
});

test('metrics are served at their own address, with a warning where other hosts reach it', host, async () => {
  const file = join(dataRoot, 'metrics.json');
  const metrics = { host: '127.0.0.1', port: 9323, path: '/metrics' };
  writeFileSync(file, '{"metrics-addr": "127.0.0.1:9323"}');
  const daemon = await startDaemon([...args, '--config-file', file]);
  assert.match(await ask(request, metrics), /^engine_daemon_engine_info\{.*os_type="linux".*\} 1$/m);
  assert.equal(await ask(request, { ...metrics, path: '/info' }), 'page not found\n');
  assert.equal(await ask(request, { socketPath: socket, path: '/metrics' }), '{"message":"page not found"}\n');
  assert.doesNotMatch(daemon.log(), /no access control/);
  daemon.child.kill('SIGTERM');
  assert.equal(await daemon.ended, 0, daemon.log());

  const open = await startDaemon([...args, '--metrics-addr', ':9323']);
  assert.match(open.log(), /the metrics have no access control.*http:\/\/0\.0\.0\.0:9323\/metrics/);
  open.child.kill('SIGTERM');
  assert.equal(await open.ended, 0, open.log());
  const off = await startDaemon(args);
  await assert.rejects(ask(request, metrics), /ECONNREFUSED/);
  off.child.kill('SIGTERM');
  assert.equal(await off.ended, 0, off.log());
});

function makeCertificates(pem: (name: string) => string): void {
  const openssl = (...args: string[]): Buffer => execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'];
  openssl('req', '-x509', ...key, '-subj', '/CN=ca', '-keyout', pem('ca-key'), '-out', pem('ca'));
  for (const name of ['server', 'client']) {
    const alternative = ['-addext', 'subjectAltName=IP:127.0.0.1'];
    const signer = ['-CA', pem('ca'), '-CAkey', pem('ca-key')];
    openssl(
      'req',
      '-x509',
      ...key,
      '-subj',
      `/CN=${name}`,
      ...alternative,
      ...signer,
      '-keyout',
      pem(`${name}-key`),
      '-out',
      pem(name),
    );
  }
}
