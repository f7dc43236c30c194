/** A file system that lists names without their types, as NFS and many of FUSE do (DT_UNKNOWN of readdir(3)). */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sh } from '../probes.ts';

/** Runs with the path of an empty directory: of ext2, whose entries have a type only by an option. */
export async function withUntypedFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const top = mkdtempSync(join(tmpdir(), 'netyard-untyped-'));
  const [image, mounted] = [join(top, 'image'), join(top, 'mounted')];
  mkdirSync(mounted);
  try {
    sh(`truncate -s 4M ${image} && mkfs.ext2 -q -F -O ^filetype ${image} && mount -o loop ${image} ${mounted}`);
    try {
      const folder = join(mounted, 'folder');
      mkdirSync(folder);
      await work(folder);
    } finally {
      sh(`umount ${mounted}`);
    }
  } finally {
    rmSync(top, { recursive: true });
  }
}
