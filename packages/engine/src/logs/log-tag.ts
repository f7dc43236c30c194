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
  return template.replace(/\{\{(.*?)\}\}|\{\{/gs, (action, text: string | undefined) => {
    const [, name = '', field] = /^\s*(?:(\w+)\s+)?\.(\w+)\s*$/.exec(text ?? '') ?? [];
    const transform = functions[name];
    if (field === undefined || !transform)
      throw new NetyardError('invalid', `log-tag: ${action} is not supported`, {
        hint: `use {{.FIELD}}, {{upper .FIELD}} or {{lower .FIELD}} with ${fields.join(', ')}`,
      });
    const known = fields.find((each) => each === field);
    if (!known) throw new NetyardError('invalid', `log-tag: can't evaluate field ${field}`);
    return transform(values?.[known] ?? '');
  });
}
