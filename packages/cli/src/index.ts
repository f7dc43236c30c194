/**
 * The door of cli: the command's table, for whoever documents or completes it. Running it is `main.ts`, which only
 * `bin/netyard` starts.
 */
export { rootEntry } from './command-table.ts';
export type { CommandSpec, Entry } from './program/spec.ts';
