/**
 * Public API of cli: the command table, for documentation and completion. `bin/netyard` starts `main.ts` instead.
 */
export { rootEntry } from './command-table.ts';
export type { CommandSpec, Entry } from './program/spec.ts';
