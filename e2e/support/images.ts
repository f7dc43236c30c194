/** Archives of the demo images, built by script/demo-images and cached on this machine. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const script = join(import.meta.dirname, '../../script/demo-images');

/** Image names and their archives. `netyard-test` has only busybox: it is small and quick to load. */
export const archives = {
  'nginx-web01': 'nginx-web01.tar',
  'nginx-web02': 'nginx-web02.tar',
  'nginx-app01': 'nginx-app01.tar',
  'netyard-test': 'nytest.tar',
} as const;

export type ImageName = keyof typeof archives;

/** The folder of the archives, which are rebuilt when an input changed. */
export function imageFolder(): string {
  const folder = process.env['NETYARD_IMAGE_CACHE'] ?? '/var/cache/netyard/demo-images';
  execFileSync(script, [folder], { stdio: ['ignore', 'ignore', 'pipe'] });
  return folder;
}

export function archivePath(image: ImageName): string {
  const path = join(imageFolder(), archives[image]);
  if (!existsSync(path)) throw new Error(`script/demo-images did not write ${path}`);
  return path;
}
