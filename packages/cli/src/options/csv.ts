/** Parses one CSV line with quotes (RFC 4180), docker's format of long options. Pure. */
import { NetyardError } from '@netyard/core';

export function splitCsv(line: string): string[] {
  const fields: string[] = [];
  let position = 0;
  for (;;) {
    if (line[position] === '"') {
      const quoted = /"((?:[^"]|"")*)"(?=,|$)/y;
      quoted.lastIndex = position;
      const match = quoted.exec(line);
      if (!match) throw new NetyardError('invalid', `invalid quotes in ${line}`);
      fields.push((match[1] ?? '').replaceAll('""', '"'));
      position = quoted.lastIndex;
    } else {
      const end = line.indexOf(',', position);
      fields.push(line.slice(position, end === -1 ? line.length : end));
      position = end === -1 ? line.length : end;
    }
    if (position >= line.length) return fields;
    position += 1;
  }
}
