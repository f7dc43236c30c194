/** The label by which a container asks that other hosts resolve its name. Pure. */
import { NetyardError } from '@netyard/core';

export const publishNameLabel = 'netyard.publish-name';

/** Undefined where the container says nothing about it. Throws `invalid` for anything but true and false. */
export function readPublishName(labels: Readonly<Record<string, string>>): boolean | undefined {
  const text = labels[publishNameLabel];
  if (text === undefined) return undefined;
  if (text === 'true' || text === 'false') return text === 'true';
  throw new NetyardError('invalid', `invalid value ${JSON.stringify(text)} of the label ${publishNameLabel}`, {
    hint: 'it is true or false: what is published is the name of the container',
  });
}
