/**
 * Directories whose content the kernel makes up while it is read (proc, sysfs, cgroups, …). Many of their files cannot be
 * read, have no end or show their reader, so an archive of a tree contains such a directory without its content.
 */
import { statfsSync } from 'node:fs';
import { NetyardError } from '@netyard/core';
import { atFd } from '../rootfs/root-paths.ts';

/** <linux/magic.h> */
const kernelFileSystems: ReadonlySet<number> = new Set([
  0x9fa0, // proc
  0x62656572, // sysfs
  0x0027e0eb, // cgroup
  0x63677270, // cgroup2
  0x1cd1, // devpts
  0x19800202, // mqueue
  0x64626720, // debugfs
  0x74726163, // tracefs
  0x73636673, // securityfs
  0xcafe4a11, // bpf
  0x6165676c, // pstore
  0x62656570, // configfs
  0xde5e81e4, // efivarfs
  0xf97cff8c, // selinuxfs
  0x42494e4d, // binfmt_misc
  0x65735543, // fusectl
  0x6e736673, // nsfs
]);

/** @param folder an open directory */
export function isKernelFolder(folder: number): boolean {
  return kernelFileSystems.has(statfsSync(atFd(folder)).type);
}

/** Throws `invalid` if the directory, which an archive is requested of, is the kernel's. */
export function checkFolder(folder: number, path: string): void {
  if (!isKernelFolder(folder)) return;
  throw new NetyardError('invalid', `the directory ${path} cannot be copied: its files are made up by the kernel`, {
    hint: 'copy single files, or run `docker exec CONTAINER cat FILE`',
  });
}
