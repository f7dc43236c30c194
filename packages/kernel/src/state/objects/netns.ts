/** Handler of network namespaces. */
import { existsSync } from 'node:fs';
import { basename, isAbsolute } from 'node:path';
import { NetyardError } from '@netyard/core';
import type { NetnsObject } from '../../desired.ts';
import { checkNetnsName, createNetns, deleteNetns, netnsExists } from '../../system/netns.ts';
import { absent, type ObjectHandler, present, unlessGone } from './handler.ts';

export const netnsHandler: ObjectHandler<NetnsObject> = {
  check({ path }) {
    if (!isAbsolute(path) || path.split('/').includes('..') || path.includes('\0'))
      throw new NetyardError('invalid', `invalid netns path ${JSON.stringify(path)}`);
    checkNetnsName(basename(path));
  },
  observe: (_session, { path }) => (netnsExists(path) ? present : absent),
  create(_session, { path }) {
    if (existsSync(path)) unlessGone(() => deleteNetns(path)); // a stale file left by a crash
    createNetns(path);
    return () => deleteNetns(path);
  },
  change: () => {
    throw new Error('a namespace has nothing to change');
  },
  delete: (_session, { path }) => unlessGone(() => deleteNetns(path)),
};
