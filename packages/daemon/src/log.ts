/** The daemon's log: pino's JSON lines, or one readable line per event. */
import { Writable } from 'node:stream';
import type { LogFields, Logger } from '@netyard/core';
import { pino } from 'pino';
import { z } from 'zod';

const line = z.looseObject({ level: z.number(), time: z.number(), msg: z.string().optional() });
const levels: Readonly<Record<number, string>> = { 20: 'debug', 30: 'info', 40: 'warn', 50: 'error', 60: 'fatal' };

/** `2026-11-23T20:31:07.123Z info  text  key=value …` */
export function formatLine(json: string): string {
  const { level, time, msg, ...fields } = line.parse(JSON.parse(json));
  const rest = Object.entries(fields).map(([key, value]) => `${key}=${formatValue(value)}`);
  const words = [new Date(time).toISOString(), (levels[level] ?? String(level)).padEnd(5), msg ?? '', ...rest];
  return `${words.join(' ')}\n`;
}

function formatValue(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return typeof value === 'string' && /[\s"=]/.test(text) ? JSON.stringify(text) : text;
}

export function openLogger(options: { level: string; format: 'text' | 'json'; output: NodeJS.WritableStream }): Logger {
  const readable = new Writable({
    write(chunk: Buffer, _encoding, done) {
      options.output.write(formatLine(chunk.toString()));
      done();
    },
  });
  const settings = {
    level: options.level,
    base: null,
    formatters: { log: plainFields },
  };
  const logger = pino(settings, options.format === 'json' ? options.output : readable);
  return {
    debug: (message, fields = {}) => logger.debug(fields, message),
    info: (message, fields = {}) => logger.info(fields, message),
    warn: (message, fields = {}) => logger.warn(fields, message),
    error: (message, fields = {}) => logger.error(fields, message),
  };
}

/** Errors become their message and code, bigints text: logging must never throw. */
function plainFields(fields: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields as LogFields).map(([key, value]) => [key, plainValue(value)]));
}

function plainValue(value: unknown): unknown {
  if (value instanceof Error) return describeError(value);
  return typeof value === 'bigint' ? value.toString() : value;
}

function describeError(error: Error): string {
  const cause = error.cause instanceof Error ? `: ${describeError(error.cause)}` : '';
  return `${error.message}${cause}`;
}
