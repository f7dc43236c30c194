/** Body of POST /commit: a container's configuration, of which an image keeps a part. */
import { containerConfig } from './container.ts';
import type { Field, FieldTable, Shape } from './shape.ts';

/** The fields of a container's configuration that images have, too. */
const kept: readonly (keyof typeof containerConfig)[] = [
  'Cmd',
  'Entrypoint',
  'Env',
  'ExposedPorts',
  'Healthcheck',
  'Labels',
  'OnBuild',
  'Shell',
  'StopSignal',
  'User',
  'Volumes',
  'WorkingDir',
];

const isKept = (name: string): boolean => kept.some((one) => one === name);

/** No flag fills the body: `--change` is a parameter of the query. */
function withoutFlags({ flags: _flags, also: _also, remark: _remark, ...field }: Field): Field {
  const { fields } = field.shape;
  return fields === undefined
    ? field
    : { ...field, shape: { ...field.shape, fields: tableWithoutFlags(fields) } as Shape };
}

const tableWithoutFlags = (fields: FieldTable): FieldTable =>
  Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, withoutFlags(field)]));

/** For docs/compatibility.md; the schema of the body is that of `containerConfig`. */
export const commitConfig: FieldTable = Object.fromEntries(
  Object.entries(tableWithoutFlags(containerConfig)).map(([name, field]) => [
    name,
    isKept(name) ? field : { ...field, status: { ignored: 'images do not have it' } as const },
  ]),
);
