/** Handlers of sysctls and files. */
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname, isAbsolute } from 'node:path';
import { NetyardError } from '@netyard/core';
import type { FileObject, SysctlObject } from '../../desired.ts';
import type { Session } from '../../netlink/session.ts';
import { hasErrno } from '../../system/ffi/errno.ts';
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

interface FileState {
  content: string;
  mode: number;
}

/** Undefined when the file does not exist. A symbolic link is rejected (ELOOP), because it could point anywhere. */
function readState(path: string): FileState | undefined {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
  try {
    return { content: readFileSync(fd, 'utf8'), mode: fstatSync(fd).mode & 0o7777 };
  } finally {
    closeSync(fd);
  }
}

/** Keeps the inode: overwrites the content, then truncates, so that a reader never finds an empty file. */
function writeState(path: string, { content, mode }: { content: string; mode?: number }): void {
  const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW, mode ?? 0o644);
  try {
    const data = Buffer.from(content, 'utf8');
    for (let offset = 0; offset < data.length; ) offset += writeSync(fd, data, offset, data.length - offset, offset);
    ftruncateSync(fd, data.length);
    if (mode !== undefined) fchmodSync(fd, mode);
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
    const found = readState(file.path);
    if (!found) return absent;
    return observed([
      found.content !== file.content && 'different content',
      file.mode !== undefined && found.mode !== file.mode && `mode ${found.mode.toString(8)}`,
    ]);
  },
  create(_session, file) {
    mkdirSync(dirname(file.path), { recursive: true });
    writeState(file.path, { content: file.content, mode: file.mode ?? 0o644 });
    return () => void unlessGone(() => unlinkSync(file.path));
  },
  change(_session, file) {
    const former = readState(file.path);
    writeState(file.path, file);
    return () => {
      if (former) writeState(file.path, former);
    };
  },
  delete: (_session, { path }) => unlessGone(() => unlinkSync(path)),
};
