/**
 * Single changes to a link that is there: another namespace, another name. For a person's small steps (`netyard ns`);
 * a plan says instead where a link is wanted and what it is called there.
 */
import { silentLogger } from '@netyard/core';
import { changeLink } from './rtnl/link.ts';
import { OwnHandles, Session } from './session.ts';

/**
 * Moves a link into the namespace pinned at `to` (undefined: this process's own), and renames it there when `name` is
 * given. It arrives down and without addresses. EquivalentCommand: `ip link set dev LINK netns TO [name NAME]`. Throws KernelError.
 */
export function moveLink(link: string, from: string | undefined, to: string | undefined, name?: string): void {
  inSession((session) =>
    changeLink(session.route(from), link, { netnsFd: session.netnsFd(to), ...(name === undefined ? {} : { name }) }),
  );
}

/** Renames a link; one that is up may be renamed since Linux 6.2. Throws KernelError. */
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
