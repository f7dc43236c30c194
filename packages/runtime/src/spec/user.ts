/** Resolves `-u` with the container's own passwd(5) and group(5). Pure: the texts of both are passed in. */
import { NetyardError } from '@netyard/core';

export interface ProcessUser {
  uid: number;
  gid: number;
  additionalGids: number[];
  home: string;
}

export interface UserFiles {
  /** Text of /etc/passwd, '' if missing. */
  passwd: string;
  group: string;
}

interface PasswdEntry {
  name: string;
  uid: number;
  gid: number;
  home: string;
}

interface GroupEntry {
  name: string;
  gid: number;
  members: readonly string[];
}

const highestId = 2 ** 31 - 1;
const outOfRange = (): NetyardError => new NetyardError('invalid', `uids and gids must be in range 0-${highestId}`);

/** Fields of each line. White space around a line (a CR before the line feed) is ignored, as in glibc and runc. */
const linesOf = (text: string): string[][] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'));

/**
 * A numeric field of a file. runc reads 0 for a missing number. For a group that is kept; a line without a uid is
 * ignored, because it would make its user root.
 */
function fieldId(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,20}$/.test(text)) return undefined;
  return Number(text);
}

function parsePasswd(text: string): PasswdEntry[] {
  return linesOf(text).flatMap(([name = '', , uidText, gidText, , home = '']) => {
    const uid = fieldId(uidText);
    return uid === undefined ? [] : [{ name, uid, gid: fieldId(gidText) ?? 0, home }];
  });
}

function parseGroup(text: string): GroupEntry[] {
  return linesOf(text).flatMap(([name = '', , gidText, members = '']) => {
    const gid = fieldId(gidText);
    return gid === undefined ? [] : [{ name, gid, members: members === '' ? [] : members.split(',') }];
  });
}

/** Digits are an id, even if the files use them as a name. A sign is parsed as in runc: -1 is out of range. */
function parseId(text: string): number | undefined {
  if (!/^[+-]?\d+$/.test(text)) return undefined;
  return inRange(Number(text));
}

function inRange(id: number): number {
  if (id < 0 || id > highestId) throw outOfRange();
  return id === 0 ? 0 : id; // not -0
}

/**
 * `''` is root; `name`, `uid`, `name:group`, `uid:gid` and mixtures. The passwd entry of the name or id provides the
 * group, the home directory and, unless a group is given, the supplementary groups; an id needs no entry. Throws
 * `invalid` with the messages of Docker and runc.
 */
export function resolveUser(text: string, groupAdd: readonly string[], files: UserFiles): ProcessUser {
  const [userText = '', ...rest] = text.split(':');
  const groupText = rest.join(':');
  const groups = parseGroup(files.group);
  const id = userText === '' ? 0 : parseId(userText);
  const givenGid = groupText === '' ? undefined : groupId(groupText, groups);
  const entry = parsePasswd(files.passwd).find(({ name, uid }) => (id === undefined ? name === userText : uid === id));
  if (!entry && id === undefined) {
    throw new NetyardError('invalid', `unable to find user ${userText}: no matching entries in passwd file`);
  }
  const gid = givenGid ?? inRange(entry?.gid ?? 0);
  const name = entry?.name ?? '';
  const ofUser = groups.filter(({ members }) => name !== '' && members.includes(name));
  const supplementary = givenGid === undefined ? ofUser.map((group) => inRange(group.gid)) : [];
  const added = groupAdd.map((group) => groupId(group, groups));
  return {
    uid: inRange(entry?.uid ?? id ?? 0),
    gid,
    additionalGids: [...new Set([gid, ...supplementary, ...added])],
    home: entry?.home || '/',
  };
}

function groupId(text: string, groups: readonly GroupEntry[]): number {
  const id = parseId(text);
  if (id !== undefined) return id;
  const entry = groups.find(({ name }) => name === text);
  if (!entry) throw new NetyardError('invalid', `unable to find group ${text}: no matching entries in group file`);
  return inRange(entry.gid);
}
