/** Decides whether changes inside a container's network namespace are repaired. Pure. */
import { NetyardError } from '@netyard/core';
import type { ContainerConfig } from '../model.ts';

export const repairLabel = 'netyard.repair';

/** Undefined when the container does not set the label. */
export function readRepair(labels: Readonly<Record<string, string>>): boolean | undefined {
  const text = labels[repairLabel];
  return text === 'true' || text === 'false' ? text === 'true' : undefined;
}

/** Throws `invalid` for any value but true and false. */
export function checkRepair(labels: Readonly<Record<string, string>>): void {
  const text = labels[repairLabel];
  if (text === undefined || readRepair(labels) !== undefined) return;
  throw new NetyardError('invalid', `invalid value ${JSON.stringify(text)} of the label ${repairLabel}`, {
    hint: 'set it to true to undo changes inside the container, to false to leave them',
  });
}

type Rights = Pick<ContainerConfig, 'capAdd' | 'capDrop' | 'privileged'>;

/** Whether CAP_NET_ADMIN is in its bounding set, as `--cap-add`, `--cap-drop` and `--privileged` combine. */
export function hasNetAdmin({ capAdd, capDrop, privileged }: Rights): boolean {
  if (privileged) return true;
  const add = capAdd.map(bareName);
  return add.includes('ALL') ? !capDrop.map(bareName).includes('NET_ADMIN') : add.includes('NET_ADMIN');
}

const bareName = (text: string): string => text.trim().toUpperCase().replace(/^CAP_/, '');
