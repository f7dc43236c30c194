/** `--platform`: what it may be, which images fit, and which image of an index a pull chooses. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '@netyard/core';
import type { ImageRecord } from '../model.ts';
import type { Descriptor, ImageContent, ImageStore, Registry } from '../ports.ts';
import { digestOf } from './digest.ts';
import { createImageService } from './image-service.ts';
import { importArchive } from './import.ts';
import { mediaTypes } from './manifest.ts';
import { formatPlatform, isPlatformOf, parsePlatform } from './platform.ts';

const host = { os: 'linux', architecture: 'amd64' };

test('a platform is parsed as containerd does', () => {
  const parsed = (text: string) => formatPlatform(parsePlatform(text, host));
  const cases = {
    'linux/arm64': 'linux/arm64',
    'Linux/aarch64/v8': 'linux/arm64/v8',
    'linux/aarch64': 'linux/arm64',
    'linux/arm/v7': 'linux/arm/v7',
    linux: 'linux/amd64',
    armhf: 'linux/arm/v7',
    x86_64: 'linux/amd64',
    windows: 'windows/amd64',
  };
  for (const [text, platform] of Object.entries(cases)) assert.equal(parsed(text), platform, text);
  const invalid = {
    foo: '"foo": unknown operating system or architecture: invalid argument',
    'a/b/c/d': '"a/b/c/d": cannot parse platform specifier: invalid argument',
    'linux/a!': '"a!" is an invalid component of "linux/a!": invalid argument',
  };
  for (const [text, message] of Object.entries(invalid))
    assert.throws(() => parsed(text), { code: 'invalid', message }, text);
});

test('an import for an invalid platform is rejected before its archive is read', async () => {
  const ledger = { adding: () => Promise.reject(new Error('the archive is read')) };
  const parts = { clock: systemClock, platform: host, ledger } as unknown as Parameters<typeof importArchive>[0];
  const start = (platform: string) =>
    importArchive(parts, (async function* () {})(), { repository: '', tag: '', message: '', changes: [], platform });
  await assert.rejects(start('no such'), { code: 'invalid' });
  await assert.rejects(start('linux/a/b/c'), { code: 'invalid' });
  await assert.rejects(start('linux/arm64'), { message: 'the archive is read' });
});

/** The parts of a registry and of local stores that a pull of images without layers uses. */
function openRegistry(architectures: readonly string[], configType: string = mediaTypes.ociConfig, os = 'linux') {
  const blobs = new Map<string, Buffer>();
  const add = (mediaType: string, value: unknown): Descriptor => {
    const body = Buffer.from(JSON.stringify(value));
    blobs.set(digestOf(body), body);
    return { mediaType, digest: digestOf(body), size: body.length };
  };
  const manifests = architectures.map((architecture) => {
    const config = add(configType, { architecture, os, rootfs: { type: 'layers', diff_ids: [] } });
    const manifest = add(mediaTypes.ociManifest, { schemaVersion: 2, config, layers: [] });
    return { ...manifest, platform: { os, architecture } };
  });
  const [only, second] = manifests;
  assert.ok(only);
  const top = second ? add(mediaTypes.ociIndex, { schemaVersion: 2, manifests }) : only;
  const read = (digest: string): Buffer => blobs.get(digest) ?? Buffer.alloc(0);
  const images = new Map<string, ImageRecord>();
  const written = new Set<string>();
  const service = createImageService({
    registry: {
      resolve: async () => ({ ...top, body: read(top.digest) }),
      fetchManifest: async ({ reference }: { reference: string }) => {
        const found = manifests.find(({ digest }) => digest === reference);
        assert.ok(found);
        return { ...found, body: read(reference) };
      },
      async *fetchBlob(_: unknown, digest: string) {
        yield read(digest);
      },
    } as unknown as Registry,
    content: {
      has: async (digest: string) => written.has(digest),
      write: async ({ digest = '' }: { digest?: string }, stream: AsyncIterable<Uint8Array>) => {
        for await (const _chunk of stream) written.add(digest);
        return { digest, size: 0, mediaType: '' };
      },
      readAll: async (digest: string) => read(digest),
      remove: async (digest: string) => written.delete(digest),
      discardUnused: async () => undefined,
    } as unknown as ImageContent,
    store: {
      images: () => [...images.values()],
      putImage: (record: ImageRecord) => images.set(record.id, record),
      putContentIntent: () => undefined,
      deleteContentIntent: () => undefined,
      contentIntents: () => [],
    } as unknown as ImageStore,
    events: { publish: () => undefined },
    containers: () => [],
    clock: systemClock,
    architecture: 'x64',
  });
  const pull = async (platform = ''): Promise<string[]> => {
    const lines: string[] = [];
    const progress = service.pull('registry:5000/app', '', {}, new AbortController().signal, { platform });
    for await (const { status = '' } of progress) lines.push(status);
    return lines;
  };
  return { service, pull };
}

test('a pull takes the image of the requested platform, by default of the host’s', async () => {
  const { service, pull } = openRegistry(['arm64', 'amd64']);
  const architecture = async () => (await service.get('registry:5000/app')).config.architecture;
  await pull();
  assert.equal(await architecture(), 'amd64');
  await pull('linux/arm64');
  assert.equal(await architecture(), 'arm64');
  const message = 'no matching manifest for linux/s390x in the manifest list entries';
  await assert.rejects(pull('linux/s390x'), (error: Error) => error.message.includes(message));
  assert.equal(await architecture(), 'arm64');
});

test('a pull of an image for Windows fails with the texts of dockerd', async () => {
  const texts = async (architectures: string[], os: string, platforms: string[]): Promise<string[]> => {
    const { pull } = openRegistry(architectures, mediaTypes.ociConfig, os);
    return Promise.all(platforms.map((platform) => pull(platform).then(String, ({ message }: Error) => message)));
  };
  const unsupported = 'operating system is not supported';
  const foreign = `image operating system "windows" cannot be used on this platform: ${unsupported}`;
  const missing = (platform: string): string => `no matching manifest for ${platform} in the manifest list entries`;
  assert.deepEqual(await texts(['amd64'], 'windows', ['', 'linux/arm64', 'windows/amd64']), [
    foreign,
    foreign,
    unsupported,
  ]);
  assert.deepEqual(await texts(['amd64', 'arm64'], 'windows', ['', 'windows/amd64', 'linux/arm/v7', 'windows/arm']), [
    missing('linux/amd64'),
    unsupported,
    missing('linux/arm/v7'),
    missing('windows/arm'),
  ]);
  assert.deepEqual(await texts(['amd64'], 'linux', ['windows/amd64']), [unsupported]);
});

test('an image that exists for one platform only is pulled with a warning, and then does not fit', async () => {
  const { service, pull } = openRegistry(['arm64']);
  const platform = { os: 'linux', architecture: 'amd64' };
  const mismatch = (ref: string): string =>
    `image with reference ${ref} was found but its platform (linux/arm64) does not match the specified platform (linux/amd64)`;
  assert.ok((await pull('linux/amd64')).includes(`WARNING: ${mismatch('registry:5000/app:latest')}`));
  const ref = 'registry:5000/app';
  const wrong = { code: 'not-found', message: mismatch(ref) };
  await assert.rejects(service.get(ref, platform), wrong);
  await assert.rejects(service.history(ref, platform), wrong);
  await assert.rejects(service.remove(ref, { force: false, noPrune: false, platforms: [platform] }), wrong);
  const message = 'no suitable export target found for platform linux/amd64';
  await assert.rejects(service.save([ref], { platform }), { code: 'failed', message });
  const record = await service.get(ref, { os: 'linux', architecture: 'arm64', variant: 'v8' });
  assert.ok(isPlatformOf(record, { os: 'linux', architecture: 'aarch64' }));
});

test('an artifact that is no image is not pulled, whatever its configuration says', async () => {
  const type = 'application/vnd.cncf.helm.config.v1+json';
  const { service, pull } = openRegistry(['amd64'], type);
  await assert.rejects(pull(), (error: Error) => error.message.includes(`unsupported media type ${type}`));
  await assert.rejects(service.get('registry:5000/app'), { code: 'not-found' });
});
