/** The host name that a container's processes see. */
import { hostname as hostHostname } from 'node:os';
import { shortId } from '@netyard/core';
import type { ContainerRecord } from '../model.ts';

/** What `hostname` prints in the container, unless it joins another container's network. */
export function hostnameOf(record: Pick<ContainerRecord, 'id' | 'config'>): string {
  const { config, id } = record;
  if (config.hostname !== '') return config.hostname;
  return config.networkMode.kind === 'host' || config.utsMode === 'host' ? hostHostname() : shortId(id);
}
