/** Archives with images for several platforms: `load`, `save`, `create` and `inspect` with `--platform`. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { cannotRun } from './support/engines.ts';
import { openHost, type TestHost } from './support/host.ts';

const otherPlatform = process.arch === 'arm64' ? 'amd64' : 'arm64';
const ownPlatform = process.arch === 'arm64' ? 'arm64' : 'amd64';

describe('images for several platforms', { skip: cannotRun('netyard') }, () => {
  let host: TestHost;
  before(async () => {
    host = await openHost('netyard', { images: ['netyard-test'] });
    await makeArchive();
  });
  after(() => host?.close());

  /** An OCI layout whose index has the test image for two platforms, as /run/both.tar. */
  async function makeArchive(): Promise<void> {
    const folder = join(host.dataFolder, 'layout');
    mkdirSync(folder);
    await host.sh(`docker save netyard-test | tar -C ${folder} -xf -`);
    const blob = (digest: string): string => join(folder, 'blobs/sha256', digest.slice('sha256:'.length));
    const read = (path: string): Record<string, unknown> => JSON.parse(readFileSync(path, 'utf8'));
    const add = (mediaType: string, value: unknown) => {
      const body = JSON.stringify(value);
      const digest = `sha256:${createHash('sha256').update(body).digest('hex')}`;
      writeFileSync(blob(digest), body);
      return { mediaType, digest, size: body.length };
    };
    const [saved] = read(join(folder, 'index.json'))['manifests'] as { digest: string; mediaType: string }[];
    assert.ok(saved);
    const manifest = read(blob(saved.digest));
    const config = read(blob((manifest['config'] as { digest: string }).digest));
    const manifests = [otherPlatform, ownPlatform].map((architecture) => {
      const own = add('application/vnd.oci.image.config.v1+json', { ...config, architecture });
      const entry = add(saved.mediaType, { ...manifest, config: own });
      return { ...entry, platform: { os: 'linux', architecture } };
    });
    const index = add('application/vnd.oci.image.index.v1+json', { schemaVersion: 2, manifests });
    const annotations = { 'io.containerd.image.name': 'docker.io/library/both:1' };
    const top = { schemaVersion: 2, manifests: [{ ...index, annotations }] };
    writeFileSync(join(folder, 'index.json'), JSON.stringify(top));
    rmSync(join(folder, 'manifest.json'));
    await host.sh(`tar -C ${folder} -cf /run/both.tar .`);
  }
  const architecture = (): Promise<string> => host.docker('image', 'inspect', '-f', '{{.Architecture}}', 'both:1');

  test('load takes the image of the host’s platform, or of the requested one', async () => {
    await host.docker('load', '-q', '-i', '/run/both.tar');
    assert.equal(await architecture(), ownPlatform);
    assert.equal(await host.docker('run', '--rm', 'both:1', 'echo', 'runs'), 'runs');
    await host.netyard('load', '-q', '-i', '/run/both.tar', '--platform', `linux/${otherPlatform}`);
    assert.equal(await architecture(), otherPlatform);
    await host.docker('create', '--name', 'foreign', '--platform', `linux/${otherPlatform}`, 'both:1', 'true');
    const { stderr, status } = await host.tryNetyard('load', '-i', '/run/both.tar', '--platform', 'linux/s390x');
    assert.equal(status, 1);
    assert.match(stderr, /no image for .*s390x/);
    assert.equal(await architecture(), otherPlatform);
  });

  test('save, inspect, history and create reject another platform', async () => {
    await host.docker('load', '-q', '-i', '/run/both.tar');
    const other = `{"architecture":"${otherPlatform}","os":"linux"}`;
    const get = (path: string): Promise<string> =>
      host.output(
        'curl',
        '-sSG',
        '-o',
        '-',
        '-w',
        '%{http_code}',
        '--unix-socket',
        '/run/netyard/netyard.sock',
        '--data-urlencode',
        `platform=${other}`,
        `http://d/v1.50${path}`,
      );
    const mismatch = new RegExp(
      `platform \\(linux/${ownPlatform}\\) does not match the specified platform \\(linux/${otherPlatform}\\).*404$`,
      's',
    );
    assert.match(await get('/images/both:1/json'), mismatch);
    assert.match(await get('/images/both:1/history'), mismatch);
    assert.match(await get('/images/both:1/get'), /no suitable export target found for platform linux.*500$/s);
    assert.match(await get('/images/both:1/json?manifests=1'), /conflicting options: manifests and platform.*400$/s);
    const saved = await host.tryNetyard(
      'save',
      '-o',
      '/run/none.tar',
      '--platform',
      `linux/${otherPlatform}`,
      'both:1',
    );
    assert.match(saved.stderr, /no suitable export target/);
    await host.netyard('save', '-o', '/run/own.tar', '--platform', `linux/${ownPlatform}`, 'both:1');
    const created = await host.tryDocker(
      'create',
      '--pull',
      'never',
      '--platform',
      `linux/${otherPlatform}`,
      'both:1',
      'true',
    );
    assert.match(created.stderr, /does not match the specified platform/);
  });
});
