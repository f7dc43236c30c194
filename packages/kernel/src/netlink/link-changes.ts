/**
 * Single changes to an existing link: another namespace, another name. For manual steps (`netyard ns`); a plan states
 * the desired namespace and name instead.
 */
import { silentLogger } from '@netyard/core';
import { changeLink } from './rtnl/link.ts';
import { OwnHandles, Session } from './session.ts';

/**
 * Moves a link into the namespace pinned at `to` (undefined: the process's own), and renames it there when `name` is
 * given. It arrives down and without addresses. Equivalent to: `ip link set dev LINK netns TO [name NAME]`. Throws
 * KernelError.
 */
export function moveLink(link: string, from: string | undefined, to: string | undefined, name?: string): void {
  inSession((session) =>
    changeLink(session.route(from), link, { netnsFd: session.netnsFd(to), ...(name === undefined ? {} : { name }) }),
  );
}

/** Renames a link; a link that is up can be renamed since Linux 6.2. Throws KernelError. */
export function renameLink(link: string, ns: string | undefined, name: string): void {
  inSession((session) => changeLink(session.route(ns), link, { name }));
}

function inSession(work: (session: Session) => void): void {
  const own = new OwnHandles(silentLogger);
  const session = new Session(own, silentLogger);
  try {
    work(session);
  } finally {
    session.close();
    own.close();
  }
}
