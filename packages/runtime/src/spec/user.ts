/** `-u`, resolved against the container's own passwd(5) and group(5). Pure: the texts of both come in. */
import { NetyardError } from '@netyard/core';

export interface ProcessUser {
  uid: number;
  gid: number;
  additionalGids: number[];
  home: string;
}

export interface UserFiles {
  /** Text of /etc/passwd, '' where there is none. */
  passwd: string;
  group: string;
}

const highestId = 2 ** 31 - 1;

const linesOf = (text: string): string[][] =>
  text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'));

function parseId(text: string): number | undefined {
  if (!/^\d+$/.test(text)) return undefined;
  const id = Number(text);
  if (id > highestId) throw new NetyardError('invalid', `uids and gids must be in range 0-${highestId}`);
  return id;
}

/**
 * `''` is root; `name`, `uid`, `name:group`, `uid:gid` and mixtures. A user found in passwd brings its supplementary
 * groups unless a group was named; a number that is in no file stands for itself. Throws `invalid` as Docker does.
 */
export function resolveUser(text: string, groupAdd: readonly string[], files: UserFiles): ProcessUser {
  const [userText = '', groupText = ''] = text.split(':');
  const users = linesOf(files.passwd);
  const groups = linesOf(files.group);
  const wanted = userText === '' ? '0' : userText;
  const id = parseId(wanted);
  // As libcontainer: a name first, then a number; numbers match either column.
  const entry =
    users.find((fields) => fields[0] === wanted) ?? users.find((fields) => id !== undefined && fields[2] === wanted);
  if (!entry && id === undefined) {
    throw new NetyardError('invalid', `unable to find user ${wanted}: no matching entries in passwd file`);
  }
  const uid = Number(entry?.[2] ?? id);
  const ownGid = Number(entry?.[3] ?? 0);
  const gid = groupText === '' ? ownGid : groupId(groupText, groups);
  const name = entry?.[0];
  const member = groups.filter((fields) => name !== undefined && (fields[3] ?? '').split(',').includes(name));
  const supplementary = groupText === '' ? member.map((fields) => Number(fields[2])) : [];
  const added = groupAdd.map((group) => groupId(group, groups));
  return {
    uid,
    gid,
    additionalGids: [...new Set([gid, ...supplementary, ...added])].filter((one) => Number.isInteger(one)),
    home: entry?.[5] || '/',
  };
}

function groupId(text: string, groups: readonly string[][]): number {
  const entry = groups.find((fields) => fields[0] === text);
  const id = entry ? Number(entry[2]) : parseId(text);
  if (id === undefined) {
    throw new NetyardError('invalid', `unable to find group ${text}: no matching entries in group file`);
  }
  return id;
}
