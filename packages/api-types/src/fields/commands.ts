/** Derives a command's flags from the tables of the fields that it fills. */
import { type ClientFlag, clientFlags } from './client-flags.ts';
import { containerCreate } from './container.ts';
import { networkConnect } from './endpoint.ts';
import { execCreate, execStart } from './exec.ts';
import { networkCreate } from './network.ts';
import { containerUpdate } from './resources.ts';
import type { Field, FieldTable, FlagCommand, FlagFacts } from './shape.ts';
import { volumeCreate } from './volume.ts';

/** The bodies that a command sends. */
export const bodiesOf: Readonly<Record<FlagCommand, readonly FieldTable[]>> = {
  run: [containerCreate],
  create: [containerCreate],
  update: [containerUpdate],
  exec: [execCreate, execStart],
  'network create': [networkCreate],
  'network connect': [networkConnect],
  'volume create': [volumeCreate],
};

/** A field by its path: `HostConfig.Memory`; `[]` stands for the elements of lists and maps. */
export interface PlacedField {
  path: string;
  field: Field;
}

/** All fields of a body, including nested ones. */
export function placedFields(fields: FieldTable, above = ''): PlacedField[] {
  return Object.entries(fields).flatMap(([name, field]) => {
    const path = `${above}${name}`;
    return [{ path, field }, ...fieldsWithin(field.shape, path)];
  });
}

function fieldsWithin({ kind, item, fields }: Field['shape'], path: string): PlacedField[] {
  if (kind === 'object' && fields) return placedFields(fields, `${path}.`);
  return item ? fieldsWithin(item, `${path}[]`) : [];
}

/** Sorted, without duplicates. */
export function flagsOf(command: FlagCommand): (FlagFacts | ClientFlag)[] {
  const own = bodiesOf[command].flatMap((body) => placedFields(body)).flatMap(({ field }) => field.flags ?? []);
  const all = [...own, ...clientFlags].filter(({ on }) => on.includes(command));
  const byName = new Map(all.map((flag) => [flag.name, flag]));
  return [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}
