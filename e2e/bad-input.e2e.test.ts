/** Invalid input is rejected with Docker's message and status, and leaves nothing behind. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { call, messageIn, sendHuge, sendRaw } from './support/api.ts';
import { badArchives } from './support/bad-images.ts';
import { cannotRun, enginesUnderTest } from './support/engines.ts';
import { openHost, type TestHost, until } from './support/host.ts';
import { type Inventory, takeEmptyInventory, untilInventory } from './support/leftovers.ts';

for (const engine of enginesUnderTest())
  describe(`bad input to ${engine}`, { skip: cannotRun(engine) }, () => {
    let host: TestHost;
    let empty: Inventory;
    before(async () => {
      host = await openHost(engine, { images: ['netyard-test'] });
      await host.docker('run', '--rm', '-p', '7999:80', 'netyard-test', 'true');
      empty = await takeEmptyInventory(host);
    });
    after(() => host.close());

    /** `docker …` that must fail. */
    const assertRejected = async (status: number, message: RegExp, ...args: string[]): Promise<void> => {
      const result = await host.tryDocker(...args);
      assert.match(result.stderr, message);
      assert.equal(result.status, status, result.stderr);
    };

    test('an unknown image is rejected', async () => {
      await assertRejected(125, /Unable to find image 'nosuch:latest' locally/, 'run', '--rm', 'nosuch', 'true');
      const answer = await call(host, 'POST', '/v1.41/containers/create', { Image: 'nosuch' });
      assert.equal(answer.status, 404);
      assert.match(messageIn(answer), /^No such image: nosuch(:latest)?$/);
    });

    test('an unknown container is rejected', async () => {
      await assertRejected(
        125,
        /No such container: absent/,
        'run',
        '--rm',
        '--volumes-from',
        'absent',
        'netyard-test',
        'true',
      );
      await assertRejected(1, /No such container: absent/, 'start', 'absent');
      await assertRejected(1, /No such container: absent/, 'rm', 'absent');
      await assertRejected(1, /No such container: absent/, 'exec', 'absent', 'true');
      assert.equal((await call(host, 'GET', '/v1.41/containers/absent/json')).status, 404);
    });

    test('a name in use and an invalid name are rejected', async () => {
      await host.docker('create', '--name', 'taken', 'netyard-test', 'true');
      await assertRejected(
        125,
        /Conflict\. The container name "\/taken" is already in use by container "?[0-9a-f]{64}"?\. You have to remove \(or rename\) that container to be able to reuse that name\./,
        ...['run', '-d', '--name', 'taken', 'netyard-test', 'true'],
      );
      const answer = await call(host, 'POST', '/v1.41/containers/create?name=taken', { Image: 'netyard-test' });
      assert.equal(answer.status, 409);
      await assertRejected(
        125,
        /Invalid container name \(a\/b\), only \[a-zA-Z0-9\]/,
        'run',
        '--name',
        'a/b',
        'netyard-test',
      );
      await host.docker('create', '--name', 'other', 'netyard-test', 'true');
      await assertRejected(1, /already in use/, 'rename', 'other', 'taken');
      await host.docker('rm', 'taken', 'other');
    });

    test('a link to a stopped container is rejected', async () => {
      await host.docker('create', '--name', 'stopped', 'netyard-test', 'true');
      await assertRejected(
        125,
        /Cannot link to a non running container: \/stopped AS \/parent\/alias/,
        ...['run', '-d', '--name', 'parent', '--link', 'stopped:alias', 'netyard-test', 'true'],
      );
      await host.docker('rm', '-f', 'parent', 'stopped');
    });

    test('the exit status is 127 for a missing command, 126 for one that is not executable', async () => {
      const none = await host.tryDocker('run', '--rm', 'netyard-test', '/no/such/command');
      assert.equal(none.status, 127, none.stderr);
      const folder = await host.tryDocker('run', '--rm', 'netyard-test', '/etc');
      assert.equal(folder.status, 126, folder.stderr);
      assert.equal((await host.tryDocker('run', '--rm', 'netyard-test', 'sh', '-c', 'exit 42')).status, 42);
      assert.equal((await host.tryDocker('run', '--bad-flag', 'netyard-test')).status, 125);
      assert.equal(await host.docker('ps', '-aq'), '');
    });

    test('invalid values are rejected', async () => {
      await assertRejected(
        125,
        /invalid (containerPort|hostPort|publish|port)|invalid range|Invalid/i,
        'run',
        '-p',
        '99999:80',
        'netyard-test',
      );
      await assertRejected(125, /not a valid mac address/, 'run', '--mac-address', 'zz', 'netyard-test', 'true');
      await assertRejected(
        125,
        /network nosuch not found|could not find a network matching/,
        'run',
        '--net',
        'nosuch',
        'netyard-test',
        'true',
      );
      await host.removeContainers();
      await assertRejected(1, /is a pre-defined network and cannot be removed/, 'network', 'rm', 'bridge');
      await assertRejected(
        1,
        /operation is not permitted on predefined bridge network|network with name bridge already exists/,
        'network',
        'create',
        'bridge',
      );
    });

    test('malformed HTTP, JSON, lengths and paths are rejected', async (t) => {
      const before = (await call(host, 'GET', '/v1.41/containers/json?all=1')).body;
      await t.test('malformed JSON', async () => {
        for (const body of ['{', '[1,', 'null', '"text"', '{"Image":5}', '{} {}', '\u0000']) {
          const answer = await call(host, 'POST', '/v1.41/containers/create', body);
          const statuses = engine === 'dockerd' ? [400, 404, 500] : [400, 404]; // 20.10 answers 500 to some of them
          assert.ok(statuses.includes(answer.status), `${body}: ${answer.status} ${answer.body}`);
          assert.ok(messageIn(answer).length > 0);
        }
      });
      await t.test('a content length that is too large or not a number', async () => {
        const head =
          'POST /v1.41/containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n';
        const short = await sendRaw(host, `${head}Content-Length: 5000\r\n\r\n{}`);
        assert.ok(short === '' || /^HTTP\/1\.1 4/.test(short), short);
        assert.match(await sendRaw(host, `${head}Content-Length: many\r\n\r\n{}`), /^HTTP\/1\.1 400/);
        assert.match(await sendRaw(host, `${head}Content-Length: -1\r\n\r\n{}`), /^HTTP\/1\.1 400/);
        assert.match(await sendRaw(host, 'nonsense\r\n\r\n'), /^HTTP\/1\.1 400/);
      });
      await t.test('paths with ..', async () => {
        for (const path of [
          '/v1.41/containers/%2e%2e/json',
          '/v1.41/containers/%2e%2e%2f%2e%2e%2fetc/json',
          '/%2e%2e/%2e%2e/etc/passwd',
          '/v1.41/images/..%2f..%2fetc%2fpasswd/json',
          '/v1.41/containers/a%00b/json',
          '/v1.41/containers/%zz/json',
        ]) {
          const answer = await call(host, 'GET', path);
          assert.ok([301, 400, 404].includes(answer.status), `${path}: ${answer.status} ${answer.body}`);
          assert.doesNotMatch(answer.body, /root:/);
        }
      });
      await t.test('unsupported versions', async () => {
        assert.equal((await call(host, 'GET', '/v1.1/containers/json')).status, 400);
        assert.equal((await call(host, 'GET', '/v9.99/containers/json')).status, 400);
      });
      await t.test('a body of 1 GB', { skip: engine === 'dockerd' && 'dockerd reads it' }, async () => {
        const { status, sentMegabytes } = await sendHuge(host, '/v1.41/containers/create', 1024);
        assert.ok(status === 413 || status === 400 || status === 0, String(status));
        assert.ok(sentMegabytes < 200, `accepted ${sentMegabytes} MB`);
      });
      assert.equal((await call(host, 'GET', '/v1.41/containers/json?all=1')).body, before);
      assert.equal((await call(host, 'GET', '/_ping')).status, 200, 'it still answers');
    });

    test('the client receives the message of a request that is rejected during its upload', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'netyard-upload-'));
      try {
        const file = join(folder, 'image.tar');
        writeFileSync(file, Buffer.alloc(64 * 1024 * 1024, 'not a tar'));
        await assertRejected(1, /[iI]nvalid tar/, 'load', '-i', file);
        await assertRejected(1, /FROM is not a valid change command/, 'import', '-c', 'FROM x', file, 'bad');
        await host.docker('create', '--name', 'target', 'netyard-test', 'true');
        const copied = await host.run(['sh', '-c', `docker cp - target:/tmp < ${file}`]);
        assert.match(copied.stderr, /[iI]nvalid tar/);
        await host.docker('rm', 'target');
      } finally {
        rmSync(folder, { recursive: true });
      }
    });

    test('malformed and malicious image archives write nothing outside of the image', async (t) => {
      const folder = mkdtempSync(join(tmpdir(), 'netyard-bad-images-'));
      const outside = join(folder, 'outside');
      try {
        await host.output('mkdir', outside);
        for (const { name, archive, mayLoad } of await badArchives(outside))
          await t.test(name, async () => {
            const file = join(folder, 'image.tar');
            writeFileSync(file, archive);
            const result = await host.tryDocker('load', '-i', file);
            if (!mayLoad) assert.notEqual(result.status, 0, `loaded: ${result.stdout}`);
            if (result.status !== 0) assert.ok(result.stderr.trim().length > 0, 'an error message');
            else await host.tryDocker('run', '--rm', 'bad', 'true');
            assert.ok(!existsSync(join(outside, 'evil')), 'nothing was written outside');
            await host.tryDocker('rmi', '-f', 'bad');
          });
      } finally {
        rmSync(folder, { recursive: true });
      }
      assert.equal(await host.docker('images', '--format', '{{.Repository}}'), 'netyard-test');
    });

    test('rejected requests leave nothing behind', {
      skip: engine === 'dockerd' && 'dockerd 20.10 leaves namespaces',
    }, async () => {
      await host.sh('docker image prune -f');
      await untilInventory(
        host,
        empty,
        Object.keys(empty).filter((kind) => kind !== 'files'),
      );
    });
  });

for (const engine of enginesUnderTest())
  describe(`a full address pool on ${engine}`, { skip: cannotRun(engine) }, () => {
    test('a start without a free address is rejected, and works again once an address is free', async () => {
      const host = await openHost(engine, { images: ['netyard-test'], bip: '192.168.11.1/29' });
      try {
        for (const index of [1, 2, 3, 4, 5])
          await host.docker('run', '-d', '--name', `c${index}`, 'netyard-test', 'sleep', '1000');
        const full = await host.tryDocker('run', '-d', '--name', 'c6', 'netyard-test', 'sleep', '1000');
        assert.equal(full.status, 125);
        assert.match(full.stderr, /no available IPv4 addresses on this network's address pools: bridge/);
        await host.docker('rm', '-f', 'c6', 'c3');
        await host.docker('run', '-d', '--name', 'c7', 'netyard-test', 'sleep', '1000');
        assert.equal(await host.docker('inspect', '-f', '{{.NetworkSettings.IPAddress}}', 'c7'), '192.168.11.4');
      } finally {
        await host.close();
      }
    });
  });

describe('netyard daemon with an invalid --bip', { skip: cannotRun('netyard') }, () => {
  const cases: [string, RegExp][] = [
    ['nonsense', /nonsense/],
    ['192.168.11.1', /192\.168\.11\.1/],
    ['300.1.1.1/24', /300\.1\.1\.1\/24/],
    ['192.168.11.0/24', /192\.168\.11\.0\/24/],
    ['172.16.9.1/24', /172\.16\.9\.[01]\/24|overlap/],
  ];
  test('the daemon does not start, and its message has the value', async (t) => {
    const host = await openHost('netyard', { daemon: false });
    try {
      await until(async () => / ens33\S* .* state UP /.test(await host.sh('ip -o link')), 'the uplink is up');
      const before = await host.sh('ip -o link; ip route; nft list ruleset');
      for (const [bip, message] of cases)
        await t.test(bip, async () => {
          const folders = [
            '--data-root',
            host.dataFolder,
            '--exec-root',
            '/run/netyard',
            '-H',
            'unix:///run/netyard/netyard.sock',
          ];
          const result = await host.tryNetyard('daemon', '--bip', bip, ...folders);
          assert.notEqual(result.status, 0);
          assert.match(result.stderr + result.stdout, message);
          assert.equal(await host.sh('ip -o link; ip route; nft list ruleset'), before);
        });
    } finally {
      await host.close();
    }
  });
});
