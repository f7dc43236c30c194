/** The log option `tag`: a template of Go with the fields that Docker's log drivers have. Pure. */
import { NetyardError } from '@netyard/core';

export interface TagFields {
  ID: string;
  FullID: string;
  Name: string;
  ImageID: string;
  ImageFullID: string;
  ImageName: string;
  DaemonName: string;
  Command: string;
  Hostname: string;
}

const fields: readonly (keyof TagFields)[] = [
  'ID',
  'FullID',
  'Name',
  'ImageID',
  'ImageFullID',
  'ImageName',
  'DaemonName',
  'Command',
  'Hostname',
];
const functions: Readonly<Record<string, (text: string) => string>> = {
  '': (text) => text,
  upper: (text) => text.toUpperCase(),
  lower: (text) => text.toLowerCase(),
};

/** Throws `invalid` for what formatTag does not know. */
export function checkTag(template: string): void {
  formatTag(template, undefined);
}

/** @param values undefined: only checks */
export function formatTag(template: string, values: TagFields | undefined): string {
  // Not with one expression for both braces: it would search the whole rest for each action that has no end.
  const [first = '', ...others] = template.split('{{');
  return first + others.map((other) => formatAction(other, values)).join('');
}

/** @param text what follows `{{`, up to the next one */
function formatAction(text: string, values: TagFields | undefined): string {
  const end = text.indexOf('}}');
  const action = end < 0 ? '' : text.slice(0, end);
  const [, name = '', field] = /^\s*(?:(\w+)\s+)?\.(\w+)\s*$/.exec(action) ?? [];
  const transform = functions[name];
  if (field === undefined || !transform)
    throw new NetyardError('invalid', `log-tag: {{${end < 0 ? '' : `${action}}}`} is not supported`, {
      hint: `use {{.FIELD}}, {{upper .FIELD}} or {{lower .FIELD}} with ${fields.join(', ')}`,
    });
  const known = fields.find((each) => each === field);
  if (!known) throw new NetyardError('invalid', `log-tag: can't evaluate field ${field}`);
  return transform(values?.[known] ?? '') + text.slice(end + 2);
}
