/** The label with which a container requests that other hosts resolve its name. Pure. */
import { NetyardError } from '@netyard/core';

export const publishNameLabel = 'netyard.publish-name';

/** Undefined when the container does not set the label. Throws `invalid` for any value but true and false. */
export function readPublishName(labels: Readonly<Record<string, string>>): boolean | undefined {
  const text = labels[publishNameLabel];
  if (text === undefined) return undefined;
  if (text === 'true' || text === 'false') return text === 'true';
  throw new NetyardError('invalid', `invalid value ${JSON.stringify(text)} of the label ${publishNameLabel}`, {
    hint: 'set it to true or false: the published name is the container name',
  });
}
