/** Generates docs/compatibility.md from the tables of fields in api-types: `node script/compatibility.ts`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type ClientFlag,
  clientFlags,
  type Field,
  type FlagFacts,
  placedFields,
  type RequestObject,
  requestObjects,
  type Status,
} from '@netyard/api-types';

export const compatibilityFile = join(import.meta.dirname, '../docs/compatibility.md');

const introduction = `# Which fields and flags of Docker work

Every field of the requests that Netyard reads, with the flags of the \`docker\` command that fill it. Nothing that a
request asks for is dropped silently: a field is supported, or the request is rejected with the message below, or the
answer has the warning below. *Ignored* are fields that Docker itself does nothing with on Linux.

*API* is the version of the API since which Docker has the field; a client that speaks an older version is answered as
if it had not sent the field. Fields that are not listed are passed over, as Docker does.

This page is made from \`packages/api-types/src/fields\` by \`node script/compatibility.ts\`; a test fails when it is
not current.
`;

export function compatibilityPage(): string {
  return [introduction, ...requestObjects.map(objectSection), clientSection()].join('\n');
}

function objectSection({ title, request, fields }: RequestObject): string {
  const rows = placedFields(fields)
    .filter(({ field }) => !isGroup(field))
    .map(({ path, field }) => [
      `\`${path}\``,
      field.since === undefined ? '' : `1.${field.since}`,
      flagsText(field),
      statusText(field.status, field.remark),
    ]);
  return `## ${title}\n\`${request}\`\n\n${table(['Field', 'API', 'Flags', 'Status'], rows)}`;
}

function clientSection(): string {
  const rows = clientFlags.map((flag) => [`\`--${flag.name}\``, flag.on.join(', '), clientStatus(flag)]);
  return `## Flags that fill no field\n\n${table(['Flag', 'Commands', 'Status'], rows)}`;
}

const clientStatus = ({ status, remark }: ClientFlag): string => statusText(status, remark);

/** The parts of a group have rows of their own. */
const isGroup = ({ shape, flags }: Field): boolean => partsOf(shape) && !flags?.length;
const partsOf = ({ fields, item }: Field['shape']): boolean => fields !== undefined || (item ? partsOf(item) : false);

function flagsText({ flags = [], also = [] }: Field): string {
  const own = flags.map(({ name, short }: FlagFacts) => `\`--${name}\`${short ? `, \`-${short}\`` : ''}`);
  return [...new Set([...own, ...also.map((name) => `\`--${name}\``)])].join(', ');
}

function statusText(status: Status = 'supported', remark = ''): string {
  const more = remark === '' ? '' : `: ${remark}`;
  if (status === 'supported') return `supported${more}`;
  if ('rejected' in status) return `rejected: “${status.rejected}”`;
  if ('warning' in status) return `warning: “${status.warning}”`;
  return `ignored: ${status.ignored}`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return `${[line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')}\n`;
}

if (import.meta.main) writeFileSync(compatibilityFile, compatibilityPage());
