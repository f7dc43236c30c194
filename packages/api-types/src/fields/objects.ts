/** Lists the request objects of the field tables, for docs/compatibility.md and for tests. */
import { clientFlags } from './client-flags.ts';
import { placedFields } from './commands.ts';
import { commitConfig } from './commit.ts';
import { containerCreate } from './container.ts';
import { networkConnect, networkDisconnect } from './endpoint.ts';
import { execCreate, execStart } from './exec.ts';
import { networkCreate } from './network.ts';
import { containerUpdate } from './resources.ts';
import type { FieldTable, FlagCommand, Status } from './shape.ts';
import { volumeCreate } from './volume.ts';

export interface RequestObject {
  title: string;
  request: string;
  fields: FieldTable;
}

export const requestObjects: readonly RequestObject[] = [
  { title: 'Container', request: 'POST /containers/create', fields: containerCreate },
  { title: 'Update of a container', request: 'POST /containers/{id}/update', fields: containerUpdate },
  { title: 'Exec', request: 'POST /containers/{id}/exec', fields: execCreate },
  { title: 'Start of an exec', request: 'POST /exec/{id}/start', fields: execStart },
  { title: 'Commit of a container to an image', request: 'POST /commit', fields: commitConfig },
  { title: 'Network', request: 'POST /networks/create', fields: networkCreate },
  { title: 'Connecting a container to a network', request: 'POST /networks/{id}/connect', fields: networkConnect },
  {
    title: 'Disconnecting it',
    request: 'POST /networks/{id}/disconnect',
    fields: networkDisconnect,
  },
  { title: 'Volume', request: 'POST /volumes/create', fields: volumeCreate },
];

const requestOf: Readonly<Record<FlagCommand, string>> = {
  run: 'POST /containers/create',
  create: 'POST /containers/create',
  update: 'POST /containers/{id}/update',
  exec: 'POST /containers/{id}/exec',
  'network create': 'POST /networks/create',
  'network connect': 'POST /networks/{id}/connect',
  'volume create': 'POST /volumes/create',
};

export interface FlagEntry {
  /** Status of the field that it fills; absent for flags of the client. */
  path?: string;
  status: Status;
}

/** Looks a flag of a command up in the tables; undefined for an unknown flag. */
export function flagEntry(command: FlagCommand, flag: string): FlagEntry | undefined {
  const objects = requestObjects.filter(
    ({ request }) => request === requestOf[command] || (command === 'exec' && request === 'POST /exec/{id}/start'),
  );
  for (const { fields } of objects)
    for (const { path, field } of placedFields(fields))
      if (field.flags?.some(({ name, on }) => name === flag && on.includes(command)))
        return { path, status: field.status ?? 'supported' };
  const own = clientFlags.find(({ name, on }) => name === flag && on.includes(command));
  return own && { status: own.status ?? 'supported' };
}
