/** The attributes that `labels`, `env`, their expressions and `tag` add to each entry of a json-file log. Pure. */
import { messageOf, NetyardError } from '@netyard/core';
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
  const expression = pattern === '' ? undefined : parseExpression(pattern);
  const requested = names.split(',');
  const isRequested = (name: string): boolean => requested.includes(name) || expression?.test(name) === true;
  return Object.fromEntries([...values].filter(([name]) => isRequested(name)));
}

/** A regular expression of Go, whose names of groups are written `(?P<name>…)`. Throws `invalid`. */
export function parseExpression(pattern: string): RegExp {
  try {
    return new RegExp(pattern.replaceAll('(?P<', '(?<'));
  } catch (error) {
    throw new NetyardError('invalid', `error parsing regexp: ${messageOf(error)}`);
  }
}

function splitVariable(entry: string): [string, string] {
  const equals = entry.indexOf('=');
  return equals < 0 ? [entry, ''] : [entry.slice(0, equals), entry.slice(equals + 1)];
}
