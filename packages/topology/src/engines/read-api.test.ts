import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type TestContext, test } from 'node:test';
import { mapsOnly } from './foreign-claims.ts';
import { readApiEngine } from './read-api.ts';
import { ownerOf } from './sockets.ts';

async function serve(context: TestContext, answer: (response: ServerResponse) => void): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'netyard-engine-'));
  const path = join(folder, 'engine.sock');
  const server = createServer((_request, response) => answer(response)).listen(path);
  await once(server, 'listening');
  context.after(() => {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  });
  return path;
}

function* endless(): Generator<Buffer> {
  for (;;) yield Buffer.alloc(1024 * 1024, ' ');
}

for (const status of [200, 500])
  test(`an engine whose answer ${status} has no end is a problem, and is not read to the end`, async (context) => {
    const path = await serve(context, (response) => {
      response.statusCode = status;
      void pipeline(Readable.from(endless()), response).catch(() => undefined);
    });
    const { engine, containers } = await readApiEngine(path, 'docker', { timeout: 60_000, owner: 0 });
    assert.match(engine.problem ?? '', /^an answer is longer than \d+ bytes$/);
    assert.deepEqual(containers, []);
  });

/** What a program of a user answers that looks like dockerd. */
const fake = (pid: number) => (response: ServerResponse) => {
  const path = response.req.url ?? '';
  const container = {
    ...{ Id: 'c0ffee00c0ffee00', Name: '/web', State: { Status: 'running', Pid: pid } },
    ...{ HostsPath: '/etc/shadow', ResolvConfPath: '/etc/shadow', NetworkSettings: { SandboxKey: '/proc/1/ns/net' } },
  };
  const answer = path.endsWith('/version')
    ? { Version: '28.0', ApiVersion: '1.48' }
    : path.includes('/containers/json')
      ? [{ Id: container.Id }]
      : path.includes('/networks')
        ? []
        : container;
  response.setHeader('Api-Version', '1.48');
  response.end(JSON.stringify(answer));
};

test('of an engine of another user no path is followed, and only this user’s processes are containers', async (context) => {
  const uid = 4321;
  const own = spawn('sleep', ['1000'], { uid, stdio: 'ignore' });
  await once(own, 'spawn');
  context.after(() => own.kill());
  const read = async (pid: number, owner: number | undefined) => {
    const path = await serve(context, fake(pid));
    return await readApiEngine(path, 'docker', { timeout: 60_000, owner });
  };
  const foreign = await read(process.pid, uid);
  assert.equal(foreign.engine.owner, uid);
  assert.equal(foreign.engine.problem, undefined);
  const [container] = foreign.containers;
  assert.deepEqual([container?.name, container?.owner], ['web', uid]);
  for (const claim of ['pid', 'hostsPath', 'resolvConfPath', 'sandboxPath'])
    assert.ok(container && !(claim in container), claim);
  assert.equal((await read(own.pid ?? 0, uid)).containers[0]?.pid, own.pid);
  const several = await read(own.pid ?? 0, undefined);
  assert.deepEqual([several.engine.owner, several.containers[0]?.pid], ['several users', undefined]);
  const trusted = await read(process.pid, 0);
  assert.deepEqual([trusted.engine.owner, trusted.containers[0]?.hostsPath], [undefined, '/etc/shadow']);
});

test('a user namespace is a user’s if it maps the user and not root', () => {
  assert.equal(mapsOnly('         0       4321          1\n         1     100000      65536\n', 4321), true);
  assert.equal(mapsOnly('         0     100000      65536\n', 4321), false);
  assert.equal(mapsOnly('         0          0 4294967295\n', 4321), false);
});

test('who can replace a socket owns it, through any folder above it', (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'netyard-owner-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const [inner, path] = [join(folder, 'inner'), join(folder, 'inner', 'engine.sock')];
  mkdirSync(inner);
  writeFileSync(path, '');
  assert.equal(ownerOf(path), 0, 'the sticky folder for temporary files keeps others away');
  chownSync(folder, 4321, 4321);
  assert.equal(ownerOf(path), 4321);
  chownSync(path, 4322, 4322);
  assert.equal(ownerOf(path), undefined);
  chownSync(folder, 0, 0);
  assert.equal(ownerOf(path), 4322);
  chownSync(path, 0, 0);
  chmodSync(inner, 0o777);
  assert.equal(ownerOf(path), undefined);
});
