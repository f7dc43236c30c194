/** One image, as the image service would find it. */
import { NetyardError } from '@netyard/core';
import type { ImageRecord, Images } from '../../src/index.ts';

export function fakeImage(change: Partial<ImageRecord['config']> = {}): ImageRecord {
  return {
    id: `sha256:${'a'.repeat(64)}`,
    config: {
      architecture: 'amd64',
      os: 'linux',
      env: ['PATH=/bin', 'FROM=image'],
      entrypoint: [],
      command: ['nginx'],
      workingDirectory: '',
      user: '',
      exposed: [{ protocol: 'tcp', port: 80 }],
      volumes: [],
      labels: { of: 'image' },
      stopSignal: '',
      diffIds: [],
      history: [],
      ...change,
    },
    configDigest: `sha256:${'a'.repeat(64)}`,
    layers: [],
    tags: ['nginx-web01:latest'],
    digests: [],
    created: 0n,
    size: 0,
    lastTagged: 0n,
  };
}

export function fakeImages(image: ImageRecord): Images {
  const service: Partial<Images> = {
    async use(ref, work) {
      return work(await fakeImages(image).get(ref));
    },
    async collectGarbage() {},
    unnamedContent: async () => [],
    async get(ref) {
      if ([image.id, ...image.tags, ...image.tags.map((tag) => tag.split(':')[0])].includes(ref)) return image;
      throw new NetyardError('not-found', `No such image: ${ref}:latest`);
    },
    async list() {
      return [{ record: image, containers: 0 }];
    },
  };
  return service as Images;
}
