/** Helpers that describe flags. Plain data: the CLI adds parsers and checks of values. */
import type { FlagCommand, FlagFacts } from './shape.ts';

export const creating: readonly FlagCommand[] = ['run', 'create'];
export const updating: readonly FlagCommand[] = ['run', 'create', 'update'];

type More = Partial<Omit<FlagFacts, 'name' | 'type' | 'help'>>;

const typed =
  (type: string, common: More = {}) =>
  (name: string, help: string, more: More = {}): FlagFacts => ({ name, type, help, on: creating, ...common, ...more });

export const stringFlag = typed('string');
export const listFlag = typed('list');
export const boolFlag = typed('bool');
export const intFlag = typed('int');
export const bytesFlag = typed('bytes');
export const mapFlag = typed('map');
export const stringsFlag = typed('strings');
export const durationFlag = typed('duration', { default: '0s' });
export const flagOf = (type: string, name: string, help: string, more: More = {}): FlagFacts =>
  typed(type)(name, help, more);
