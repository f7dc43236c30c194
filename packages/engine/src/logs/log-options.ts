/** Validates and parses `--log-driver` and `--log-opt`. Pure. */
import { NetyardError } from '@netyard/core';

export interface LogRotation {
  /** Bytes; undefined: no limit. */
  maximumSize: number | undefined;
  /** Number of files kept, including the current one. */
  maximumFiles: number;
}

const passedOver = ['max-size', 'max-file', 'labels', 'env'];

/** Throws `invalid` with Docker's message, `not-implemented` for options that Docker has and Netyard does not. */
export function checkLogOptions(driver: string, options: Readonly<Record<string, string>>): void {
  if (driver === 'none') return;
  if (driver !== 'json-file')
    throw new NetyardError('invalid', `logger: no log driver named '${driver}' is registered`);
  for (const [key, value] of Object.entries(options)) {
    if (passedOver.includes(key)) continue;
    if (key === 'compress' && /^(0|f|false)$/i.test(value)) continue;
    if (['compress', 'labels-regex', 'env-regex', 'tag'].includes(key))
      throw new NetyardError('not-implemented', `log opt '${key}' is not supported by Netyard's json-file log driver`);
    throw new NetyardError('invalid', `unknown log opt '${key}' for json-file log driver`);
  }
  parseRotation(options);
}

export function parseRotation(options: Readonly<Record<string, string>>): LogRotation {
  const size = options['max-size'];
  const files = options['max-file'];
  const maximumSize = size === undefined || size === '-1' ? undefined : parseSize(size);
  if (maximumSize !== undefined && maximumSize <= 0)
    throw new NetyardError('invalid', 'max-size must be a positive number');
  const maximumFiles = files === undefined ? 1 : Number(files);
  if (!Number.isInteger(maximumFiles) || maximumFiles < 1)
    throw new NetyardError('invalid', 'max-file cannot be less than 1');
  return { maximumSize, maximumFiles };
}

/** `10m`, `1g`, `512k`, `100`; binary multiples as in docker/go-units RAMInBytes. */
function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?) ?([bkmgt])?(?:i?b)?$/i.exec(text);
  const power = ['b', 'k', 'm', 'g', 't'].indexOf((match?.[2] ?? 'b').toLowerCase());
  if (!match) throw new NetyardError('invalid', `invalid size: '${text}'`);
  return Math.floor(Number(match[1]) * 1024 ** power);
}

/** JSON text of the labels and variables that `labels` and `env` name; '' for none. */
export function logAttributes(
  options: Readonly<Record<string, string>>,
  labels: Readonly<Record<string, string>>,
  env: readonly string[],
): string {
  const found: Record<string, string> = {};
  for (const name of (options['labels'] ?? '').split(',')) {
    const value = labels[name];
    if (value !== undefined) found[name] = value;
  }
  const variables = new Map(env.map((entry) => splitVariable(entry)));
  for (const name of (options['env'] ?? '').split(',')) {
    const value = variables.get(name);
    if (value !== undefined) found[name] = value;
  }
  return Object.keys(found).length === 0 ? '' : JSON.stringify(found);
}

function splitVariable(entry: string): [string, string] {
  const equals = entry.indexOf('=');
  return equals < 0 ? [entry, ''] : [entry.slice(0, equals), entry.slice(equals + 1)];
}
