/** Handlers of sysctls and files. */
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname, isAbsolute } from 'node:path';
import { bytesOf, NetyardError, textOf } from '@netyard/core';
import type { FileEdit } from '../../contract.ts';
import type { FileObject, SysctlObject } from '../../desired.ts';
import type { Session } from '../../netlink/session.ts';
import { hasErrno } from '../../system/ffi/errno.ts';
import { type FileStart, readStart } from '../../system/read-start.ts';
import { checkSysctlValue, sameSysctlValue, sysctlPath } from '../../system/sysctl.ts';
import { absent, type ObjectHandler, observed, type Undo, unlessGone } from './handler.ts';

// Sysctls

function setSysctl(session: Session, object: SysctlObject): Undo {
  const former = session.sysctls().exchange(object, object.value, session.enter);
  return () => session.sysctls().write(object, former, session.enter);
}

export const sysctlHandler: ObjectHandler<SysctlObject> = {
  check({ key, value }) {
    sysctlPath(key);
    checkSysctlValue(value);
  },
  observe(session, object) {
    try {
      const found = session.sysctls().read(object, session.enter);
      return observed([!sameSysctlValue(found, object.value) && found]);
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return absent;
      throw error;
    }
  },
  create: setSysctl,
  change: setSysctl,
  delete: () => false,
};

// Files

/** Longest content that a rollback restores: a container makes its own files of any size. */
const longestRestored = 4 * 1024 * 1024;

interface FileState extends FileStart {
  mode: number;
}

/**
 * A container's root may hold a lease on its files (F_SETLEASE of fcntl(2)), and an open of another process would wait for
 * it up to 45 s: EAGAIN instead. Throws ELOOP for a symbolic link, because it could point anywhere, and `failed` for what
 * is no regular file.
 */
function openRegular(path: string, flags: number, mode?: number): number {
  const fd = openSync(path, flags | constants.O_NOFOLLOW | constants.O_NONBLOCK, mode);
  try {
    if (!fstatSync(fd).isFile()) throw new NetyardError('failed', `${path} is not a regular file`);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Undefined when the file does not exist. Reads no more than `limit` bytes. Throws as `openRegular`. */
function readState(path: string, limit: number): FileState | undefined {
  let fd: number;
  try {
    fd = openRegular(path, constants.O_RDONLY);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
  try {
    return { ...readStart(fd, limit), mode: fstatSync(fd).mode & 0o7777 };
  } finally {
    closeSync(fd);
  }
}

/** Keeps the inode: overwrites the content, then truncates, so that a reader never finds an empty file. */
function overwrite(fd: number, data: Buffer): void {
  for (let offset = 0; offset < data.length; ) offset += writeSync(fd, data, offset, data.length - offset, offset);
  ftruncateSync(fd, data.length);
}

function writeState(path: string, data: Buffer, mode: number | undefined): void {
  const fd = openRegular(path, constants.O_WRONLY | constants.O_CREAT, mode ?? 0o644);
  try {
    overwrite(fd, data);
    if (mode !== undefined) fchmodSync(fd, mode);
  } finally {
    closeSync(fd);
  }
}

/** See `Kernel.editFile`. Throws as `openRegular`. */
export function editFile(path: string, limit: number, edit: (text: string) => string): FileEdit {
  let fd: number;
  try {
    fd = openRegular(path, constants.O_RDWR);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return 'missing';
    throw error;
  }
  try {
    const { data, isComplete } = readStart(fd, limit);
    if (!isComplete) return 'too long';
    const before = textOf(data);
    const after = edit(before);
    if (after !== before) overwrite(fd, bytesOf(after));
    return 'done';
  } finally {
    closeSync(fd);
  }
}

export const fileHandler: ObjectHandler<FileObject> = {
  check({ path }) {
    if (!isAbsolute(path) || path.includes('\0'))
      throw new NetyardError('invalid', `invalid file path ${JSON.stringify(path)}`);
  },
  observe(_session, file) {
    const content = Buffer.from(file.content, 'utf8');
    const found = readState(file.path, content.length);
    if (!found) return absent;
    return observed([
      !(found.isComplete && found.data.equals(content)) && 'different content',
      file.mode !== undefined && found.mode !== file.mode && `mode ${found.mode.toString(8)}`,
    ]);
  },
  create(_session, file) {
    mkdirSync(dirname(file.path), { recursive: true });
    writeState(file.path, Buffer.from(file.content, 'utf8'), file.mode ?? 0o644);
    return () => void unlessGone(() => unlinkSync(file.path));
  },
  change(_session, file) {
    const former = readState(file.path, longestRestored);
    writeState(file.path, Buffer.from(file.content, 'utf8'), file.mode);
    return () => {
      if (former?.isComplete) writeState(file.path, former.data, former.mode);
    };
  },
  delete: (_session, { path }) => unlessGone(() => unlinkSync(path)),
};
