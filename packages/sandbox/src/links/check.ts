/** Check of links at start and exec: the targets must be running and on the default bridge. Pure. */
import { NetyardError } from '@netyard/core';

export interface LinkCheck {
  parentName: string;
  alias: string;
  childName: string;
  childId: string;
  childRuns: boolean;
  childOnBridge: boolean;
}

/** Throws `failed` (status 500, as Docker's start and exec return) for a link whose target cannot be reached. */
export function checkLink(link: LinkCheck): void {
  if (!link.childRuns) {
    const names = `/${link.childName} AS /${link.parentName}/${link.alias}`;
    throw new NetyardError('failed', `Cannot link to a non running container: ${names}`, {
      hint: `start ${link.childName} first`,
    });
  }
  if (!link.childOnBridge)
    throw new NetyardError('failed', `container ${link.childId} not attached to default bridge network`);
}
