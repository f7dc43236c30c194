/** The attributes that `labels`, `env`, their expressions and `tag` add to each entry of a json-file log. */
import { isNetyardError } from '@netyard/core';
import { type Expression, parseExpression } from '../expression.ts';
import { formatTag, type TagFields } from './log-tag.ts';

type LogOptions = Readonly<Record<string, string>>;

export interface AttributeSources {
  labels: Readonly<Record<string, string>>;
  /** `NAME=VALUE` */
  env: readonly string[];
  tag: TagFields;
}

/** JSON text; '' for none. */
export function logAttributes(options: LogOptions, { labels, env, tag }: AttributeSources): string {
  const found = {
    ...select(new Map(Object.entries(labels)), options['labels'], options['labels-regex']),
    ...select(new Map(env.map(splitVariable)), options['env'], options['env-regex']),
  };
  const text = formatTag(options['tag'] ?? '', tag);
  if (text !== '') found['tag'] = text;
  return Object.keys(found).length === 0 ? '' : JSON.stringify(found);
}

function select(values: ReadonlyMap<string, string>, names = '', pattern = ''): Record<string, string> {
  const expression = pattern === '' ? undefined : acceptedExpression(pattern);
  const requested = names.split(',');
  const isRequested = (name: string): boolean => requested.includes(name) || expression?.test(name) === true;
  return Object.fromEntries([...values].filter(([name]) => isRequested(name)));
}

/** Create rejects invalid expressions; one that an earlier version accepted matches nothing, and output is still logged. */
function acceptedExpression(pattern: string): Expression | undefined {
  try {
    return parseExpression(pattern);
  } catch (error) {
    if (isNetyardError(error)) return undefined;
    throw error;
  }
}

function splitVariable(entry: string): [string, string] {
  const equals = entry.indexOf('=');
  return equals < 0 ? [entry, ''] : [entry.slice(0, equals), entry.slice(equals + 1)];
}
