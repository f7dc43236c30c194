/** Flags shared by list commands. */
import type { FlagSpec } from '../program/flags.ts';

export const formatFlag: FlagSpec = {
  name: 'format',
  type: 'string',
  help: "Format output using a custom template: 'table', 'table TEMPLATE', 'json', or a Go template such as '{{.Names}}'",
};

export const noTruncFlag: FlagSpec = { name: 'no-trunc', type: 'bool', help: "Don't truncate output" };

export const forceFlag: FlagSpec = { name: 'force', short: 'f', type: 'bool', help: 'Do not prompt for confirmation' };
