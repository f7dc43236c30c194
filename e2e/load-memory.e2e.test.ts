/** What loads of images take, of many hostile clients at once, is returned to the system afterwards. */
import assert from 'node:assert/strict';
import { createReadStream, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { apiSocket } from './support/api.ts';
import { openHost, type TestHost } from './support/host.ts';

const mebibyte = 1024 * 1024;
/** Without its release, free memory of malloc and garbage of threads are 100 to 400 MiB. */
const slack = 64 * mebibyte;
/** Longer than threads and daemon take to find that they are idle. */
const restMs = 90_000;

/** `bomb.tar.gz` expands to 400 MB; the image `broken.tar` has a layer of 20 MB and a configuration that is not JSON. */
const archives = `
  mkdir bomb broken
  head -c 400000000 /dev/zero > bomb/file && tar -C bomb -cf layer.tar file && tar -cf - layer.tar | gzip -1 > bomb.tar.gz
  rm layer.tar bomb/file
  head -c 20000000 /dev/urandom > broken/file && tar -C broken -cf broken/layer.tar file
  echo '[{"Config":"config.json","Layers":["layer.tar"]}]' > broken/manifest.json
  echo '{' > broken/config.json
  tar -C broken -cf broken.tar layer.tar config.json manifest.json`;

suite('memory after loads of images', { concurrency: false }, () => {
  let host: TestHost;
  const folder = mkdtempSync(join(tmpdir(), 'netyard-load-'));

  before(async () => {
    host = await openHost('netyard', { images: ['netyard-test'] });
    await host.sh(`cd ${folder} && ${archives}`);
  });
  after(async () => {
    await host.close();
    rmSync(folder, { recursive: true });
  });

  const residentBytes = async (): Promise<number> =>
    Number(await host.sh("awk '/^VmRSS/ { print $2 }' /proc/$(cat /run/netyard/netyard.pid)/status")) * 1024;

  const load = (file: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const path = join(folder, file);
      const headers = { 'Content-Type': 'application/x-tar', 'Content-Length': statSync(path).size };
      const options = { socketPath: apiSocket(host), method: 'POST', path: '/images/load', headers, agent: false };
      const outgoing = request(options, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (part: string) => {
          text += part;
        });
        answer.once('end', () => resolve(text));
      });
      outgoing.once('error', reject);
      createReadStream(path).pipe(outgoing);
    });

  const beginLoad = (): Socket => {
    const socket = connect({ path: apiSocket(host) }).on('error', () => {});
    socket.write('POST /images/load HTTP/1.1\r\nHost: x\r\nContent-Length: 20000000\r\n\r\n');
    socket.write(readFileSync(join(folder, 'broken.tar')).subarray(0, 3_000_000));
    return socket;
  };

  const attack = async (): Promise<void> => {
    const silent = Array.from({ length: 12 }, beginLoad);
    try {
      const broken = Array.from({ length: 20 }, () => load('broken.tar'));
      assert.match(await load('bomb.tar.gz'), /does not contain a manifest/);
      for (const answer of await Promise.all(broken)) assert.match(answer, /its configuration is not valid JSON/);
    } finally {
      for (const socket of silent) socket.destroy();
    }
  };

  test('the daemon is as large as before, again after a repetition', async (t) => {
    await host.docker('run', '--rm', 'netyard-test', 'true');
    const before = await residentBytes();
    for (const time of ['first', 'second', 'third']) {
      await attack();
      let now = await residentBytes();
      t.diagnostic(`${time} attack: ${Math.round(before / mebibyte)} to ${Math.round(now / mebibyte)} MiB`);
      for (const end = Date.now() + restMs; now > before + slack && Date.now() < end; now = await residentBytes())
        await pause(1_000);
      assert.ok(now <= before + slack, `${time} attack: ${before} bytes before, ${now} afterwards`);
    }
    assert.equal(await host.docker('run', '--rm', 'netyard-test', 'echo', 'hello'), 'hello');
  });
});
