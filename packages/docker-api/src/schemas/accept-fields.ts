/** Applies the status of fields in the field tables: rejects, warns, or ignores fields newer than the client. */
import type { Field, FieldTable, Output, Shape } from '@netyard/api-types';
import { NetyardError } from '@netyard/core';

import { type ApiVersion, speaks } from '../versions.ts';
import { isZero } from './is-zero.ts';

export interface Accepted<T extends FieldTable> {
  body: Output<T>;
  warnings: string[];
}

/** Throws for a rejected field. Fields newer than the client's API version count as missing. */
export function acceptFields<T extends FieldTable>(fields: T, body: Output<T>, version: ApiVersion): Accepted<T> {
  const warnings: string[] = [];
  const accepted = walkFields(fields, body, { version, warnings });
  return { body: accepted as Output<T>, warnings };
}

interface Walk {
  version: ApiVersion;
  warnings: string[];
}

function walkFields(
  fields: FieldTable,
  values: Readonly<Record<string, unknown>>,
  walk: Walk,
): Record<string, unknown> {
  const walked = Object.entries(values).map(([name, value]) => {
    const field = fields[name];
    return [name, field ? walkField(field, value, walk) : value];
  });
  return Object.fromEntries(walked);
}

function walkField(field: Field, value: unknown, walk: Walk): unknown {
  const { status } = field;
  const isSet =
    !isZero(value) && !(field.shape.kind === 'size' && Array.isArray(value) && value.every((part) => part === 0));
  if (isSet && typeof status === 'object') {
    if ('rejected' in status && !status.inOperation)
      throw new NetyardError(status.code, status.rejected, status.hint === undefined ? {} : { hint: status.hint });
    if ('warning' in status) walk.warnings.push(status.warning);
  }
  if (field.since !== undefined && !speaks(walk.version, field.since)) return missingValue(field);
  return walkShape(field.shape, value, walk);
}

function walkShape({ kind, item, fields }: Shape, value: unknown, walk: Walk): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (kind === 'object' && fields) return walkFields(fields, value as Record<string, unknown>, walk);
  if (kind === 'list' && item && Array.isArray(value)) return value.map((element) => walkShape(item, element, walk));
  if (kind !== 'map' || !item) return value;
  return Object.fromEntries(Object.entries(value).map(([key, element]) => [key, walkShape(item, element, walk)]));
}

function missingValue({ missing, shape: { kind } }: Field): unknown {
  if (missing === 'none') return undefined;
  const zeros: Partial<Record<Shape['kind'], unknown>> = { text: '', flag: false, whole: 0, map: {} };
  return kind in zeros ? zeros[kind] : [];
}
