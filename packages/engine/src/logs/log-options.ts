/** Validates and parses `--log-driver` and `--log-opt`. */
import { NetyardError, parseGoBoolean } from '@netyard/core';
import { parseExpression } from '../expression.ts';
import type { LogDriver } from '../settings.ts';
import { checkTag } from './log-tag.ts';

type LogOptions = Readonly<Record<string, string>>;

export interface LogRotation {
  /** Bytes; undefined: no limit. */
  maximumSize: number | undefined;
  /** Number of files kept, including the current one. */
  maximumFiles: number;
  /** Files but the current one are compressed. */
  compresses: boolean;
}

/** What Docker accepts with every driver; see checkDelivery. */
const commonOptions = [
  'mode',
  'max-buffer-size',
  'cache-disabled',
  'cache-max-size',
  'cache-max-file',
  'cache-compress',
];
const rotationOptions = ['max-size', 'max-file', 'compress'];
const optionsOf = {
  'json-file': [...rotationOptions, 'labels', 'labels-regex', 'env', 'env-regex', 'tag'],
  local: rotationOptions,
};
/** Docker's drivers that Netyard does not have. */
const dockerDrivers = [
  'awslogs',
  'etwlogs',
  'fluentd',
  'gcplogs',
  'gelf',
  'journald',
  'logentries',
  'splunk',
  'syslog',
];
/** Docker's defaults for `local`. */
const localRotation = { 'max-size': '20m', 'max-file': '5', compress: 'true' };

/** Throws `invalid` with Docker's message. Returns warnings. */
export function checkLogOptions(driver: string, options: LogOptions): string[] {
  if (driver === 'none') return [];
  const warnings = checkDelivery(options);
  if (driver !== 'json-file' && driver !== 'local') throw unknownDriver(driver);
  for (const key of Object.keys(options))
    if (!commonOptions.includes(key) && !optionsOf[driver].includes(key)) throw unknownOption(driver, key);
  parseRotation(driver, options);
  checkTag(options['tag'] ?? '');
  for (const key of ['labels-regex', 'env-regex']) parseExpression(options[key] ?? '');
  return warnings;
}

function unknownDriver(driver: string): NetyardError {
  if (!dockerDrivers.includes(driver))
    return new NetyardError('invalid', `error looking up logging plugin ${driver}: plugin "${driver}" not found`);
  const hint = 'use json-file or local, and collect the logs on the host';
  return new NetyardError('invalid', `logger: no log driver named '${driver}' is registered`, { hint });
}

function unknownOption(driver: LogDriver, key: string): NetyardError {
  const place = driver === 'local' ? 'log driver local' : `${driver} log driver`;
  return new NetyardError('invalid', `unknown log opt '${key}' for ${place}`);
}

/**
 * `mode` and `max-buffer-size` say what happens to output that a driver does not take. Both drivers write files, and a
 * log that cannot be written blocks no container in either mode, so no output has to be dropped before that. The
 * options `cache-…` are for drivers whose logs cannot be read; both can.
 */
function checkDelivery(options: LogOptions): string[] {
  const { mode = '', 'max-buffer-size': buffer, 'cache-disabled': disabled } = options;
  if (!['', 'blocking', 'non-blocking'].includes(mode)) throw invalid(`logger: logging mode not supported: ${mode}`);
  if (buffer !== undefined && mode !== 'non-blocking')
    throw invalid("logger: max-buffer-size option is only supported with 'mode=non-blocking'");
  if (buffer !== undefined) parseSize(buffer, 1024, 'error parsing option max-buffer-size: ');
  if (disabled !== undefined && parseGoBoolean(disabled) === undefined)
    throw invalid(`invalid value for option cache-disabled: ${disabled}`);
  if (mode !== 'non-blocking') return [];
  return ['mode=non-blocking: no output is dropped, and max-buffer-size has no effect; fast writers wait for the log.'];
}

export function parseRotation(driver: string, options: LogOptions): LogRotation {
  return driver === 'local' ? localFileRotation({ ...localRotation, ...options }) : jsonFileRotation(options);
}

function jsonFileRotation(options: LogOptions): LogRotation {
  const { 'max-size': size, 'max-file': files, compress } = options;
  const maximumSize = size === undefined || size === '-1' ? undefined : parseSize(size, 1000, '');
  if (maximumSize !== undefined && maximumSize <= 0) throw invalid('max-size must be a positive number');
  const maximumFiles = files === undefined ? 1 : parseInteger(files, '');
  if (maximumFiles < 1) throw invalid('max-file cannot be less than 1');
  const compresses = compress !== undefined && requireBoolean(compress, '');
  if (compresses && (maximumFiles < 2 || maximumSize === undefined))
    throw invalid('compress cannot be true when max-file is less than 2 or max-size is not set');
  return { maximumSize, maximumFiles, compresses };
}

function localFileRotation(options: typeof localRotation): LogRotation {
  const { 'max-size': size, 'max-file': files, compress } = options;
  const maximumSize = parseSize(size, 1024, `invalid value for max-size: ${size}: `);
  const maximumFiles = parseInteger(files, `invalid value for max-file: ${files}: `);
  const compresses = requireBoolean(compress, 'error reading compress log option: ');
  if (maximumFiles < 0) throw invalid('max file count cannot be less than 0');
  if (compresses && maximumFiles <= 1) throw invalid('compression cannot be enabled when max file count is 1');
  return { maximumSize, maximumFiles: Math.max(1, maximumFiles), compresses };
}

const invalid = (message: string): NetyardError => new NetyardError('invalid', message);

/** `10m`, `1g`, `512k`, `100`, as docker/go-units reads them: FromHumanSize with base 1000, RAMInBytes with 1024. */
function parseSize(text: string, base: 1000 | 1024, context: string): number {
  const match = /^(\d+(?:\.\d+)?) ?([a-z]*)$/i.exec(text);
  if (!match) throw invalid(`${context}invalid size: '${text}'`);
  const suffix = (match[2] ?? '').toLowerCase();
  const unit = /^(?:([kmgtp])(?:i?b)?|b)?$/.exec(suffix);
  if (!unit) throw invalid(`${context}${suffix === text ? `invalid size: '${text}'` : `invalid suffix: '${suffix}'`}`);
  return Math.floor(Number(match[1]) * base ** ' kmgtp'.indexOf(unit[1] ?? ' '));
}

function parseInteger(text: string, context: string): number {
  if (!/^[+-]?\d+$/.test(text))
    throw invalid(`${context}strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`);
  const value = BigInt(text.replace(/^\+/, ''));
  if (value !== BigInt.asIntN(64, value))
    throw invalid(`${context}strconv.Atoi: parsing ${JSON.stringify(text)}: value out of range`);
  return Math.min(Number(value), Number.MAX_SAFE_INTEGER); // no log has so many files
}

/** The largest value that Go's `int` has, and so the API. */
const largestInteger = 2n ** 63n - 1n;

/** Options of a container that an older Netyard created: it accepted any number of files. Undefined: as they are. */
export function clampMaxFile(options: LogOptions): LogOptions | undefined {
  const { 'max-file': files = '' } = options;
  if (!/^\+?\d+$/.test(files) || BigInt(files.replace(/^\+/, '')) <= largestInteger) return undefined;
  return { ...options, 'max-file': String(largestInteger) };
}

function requireBoolean(text: string, context: string): boolean {
  const value = parseGoBoolean(text);
  if (value !== undefined) return value;
  throw invalid(`${context}strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);
}
