/** The demo images as archives, made once by script/demo-images and kept in a cache of this machine. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const maker = join(import.meta.dirname, '../../script/demo-images');

/** Images by their name in the tests, and their archive. `netyard-test` is only busybox: small and quick to load. */
export const archives = {
  'nginx-web01': 'nginx-web01.tar',
  'nginx-web02': 'nginx-web02.tar',
  'nginx-app01': 'nginx-app01.tar',
  'netyard-test': 'nytest.tar',
} as const;

export type ImageName = keyof typeof archives;

/** The folder of the archives; makes them when an input changed. */
export function imageFolder(): string {
  const folder = process.env['NETYARD_IMAGE_CACHE'] ?? '/var/cache/netyard/demo-images';
  execFileSync(maker, [folder], { stdio: ['ignore', 'ignore', 'pipe'] });
  return folder;
}

export function archivePath(image: ImageName): string {
  const path = join(imageFolder(), archives[image]);
  if (!existsSync(path)) throw new Error(`script/demo-images did not write ${path}`);
  return path;
}
