/** `docker import --change`: Dockerfile instructions that only change an image's configuration. Pure. */
import { NetyardError } from '@netyard/core';
import type { ImageConfig } from '../model.ts';
import { parseExposedPort } from './image-config.ts';

type Change = (config: ImageConfig, rest: string) => ImageConfig;

const changes: Readonly<Record<string, Change>> = {
  CMD: (config, rest) => ({ ...config, command: parseCommand(config, rest) }),
  ENTRYPOINT: (config, rest) => ({ ...config, entrypoint: parseCommand(config, rest) }),
  ENV: (config, rest) => ({ ...config, env: Object.entries(parsePairs('ENV', rest)).reduce(withVariable, config.env) }),
  EXPOSE: (config, rest) => ({ ...config, exposed: [...config.exposed, ...parseWords(rest).flatMap(parsePorts)] }),
  LABEL: (config, rest) => ({ ...config, labels: { ...config.labels, ...parsePairs('LABEL', rest) } }),
  STOPSIGNAL: (config, rest) => ({ ...config, stopSignal: one('STOPSIGNAL', rest) }),
  USER: (config, rest) => ({ ...config, user: one('USER', rest) }),
  VOLUME: (config, rest) => ({ ...config, volumes: [...config.volumes, ...(parseList(rest) ?? parseWords(rest))] }),
  WORKDIR: (config, rest) => ({ ...config, workingDirectory: workingDirectory(config, rest) }),
};

/** Throws `invalid` for any other instruction. */
export function applyChanges(config: ImageConfig, lines: readonly string[]): ImageConfig {
  return lines
    .flatMap((text) => text.replaceAll('\\\n', ' ').split('\n'))
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .reduce(applyChange, config);
}

function applyChange(config: ImageConfig, line: string): ImageConfig {
  const [word = ''] = line.split(/\s/, 1);
  const name = word.toUpperCase();
  const change = changes[name];
  if (!change) {
    if (name === 'HEALTHCHECK' || name === 'ONBUILD') {
      throw new NetyardError('not-implemented', `Netyard's import does not support ${name}`);
    }
    const known = ['ADD', 'ARG', 'COPY', 'FROM', 'MAINTAINER', 'RUN', 'SHELL'];
    throw new NetyardError(
      'invalid',
      known.includes(name) ? `${name.toLowerCase()} is not a valid change command` : `unknown instruction: ${name}`,
    );
  }
  const rest = line.slice(word.length).trim();
  if (rest === '') throw new NetyardError('invalid', `${name} requires at least one argument`);
  return change(config, rest);
}

/** `["a", "b"]` is the exec form; anything else is run by the shell. */
function parseCommand(config: ImageConfig, rest: string): string[] {
  return parseList(rest) ?? [...(config.shell ?? ['/bin/sh', '-c']), rest];
}

function parseList(text: string): string[] | undefined {
  if (!text.startsWith('[')) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : undefined;
  } catch {
    return undefined; // Docker treats it as a shell command, too
  }
}

/** Splits words as a shell does: removes quotes and backslashes. */
function parseWords(text: string): string[] {
  const words = text.match(/(?:[^\s"'\\]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+/g) ?? [];
  return words.map(unquote);
}

const unquote = (word: string): string =>
  word.replace(/\\(.)|"((?:[^"\\]|\\.)*)"|'([^']*)'/g, (_, escaped?: string, double?: string, single?: string) => {
    return escaped ?? double?.replace(/\\(.)/g, '$1') ?? single ?? '';
  });

/** `A=1 B="2 3"`, or the old form `A all the rest`. */
function parsePairs(instruction: string, rest: string): Record<string, string> {
  const words = parseWords(rest);
  if (!words[0]?.includes('=')) {
    const match = /^(\S+)\s+(.+)$/s.exec(rest);
    if (!match?.[1]) throw new NetyardError('invalid', `${instruction} must have two arguments`);
    return { [match[1]]: unquote(match[2] ?? '') };
  }
  return Object.fromEntries(
    words.map((word) => {
      const equals = word.indexOf('=');
      if (equals > 0) return [word.slice(0, equals), word.slice(equals + 1)];
      throw new NetyardError('invalid', `Syntax error - can't find = in "${word}". Must be of the form: name=value`);
    }),
  );
}

function withVariable(env: readonly string[], [name, value]: [string, string]): string[] {
  const text = `${name}=${value}`;
  const index = env.findIndex((each) => each.startsWith(`${name}=`));
  return index < 0 ? [...env, text] : env.with(index, text);
}

/** `80`, `80/udp`, `8000-8003/tcp`. */
function parsePorts(spec: string): ImageConfig['exposed'] {
  const range = /^(\d+)-(\d+)(\/\w+)?$/.exec(spec);
  if (!range) return [parseExposedPort(spec)];
  const [first, last] = [parseExposedPort(`${range[1]}${range[3] ?? ''}`), parseExposedPort(`${range[2]}`)];
  if (last.port < first.port) throw new NetyardError('invalid', `invalid containerPort: ${spec}`);
  return Array.from({ length: last.port - first.port + 1 }, (_, index) => ({ ...first, port: first.port + index }));
}

function one(instruction: string, rest: string): string {
  const words = parseWords(rest);
  if (words.length !== 1 || words[0] === undefined) {
    throw new NetyardError('invalid', `${instruction} requires exactly one argument`);
  }
  return words[0];
}

/** A relative one is resolved against the previous one. */
function workingDirectory(config: ImageConfig, rest: string): string {
  const path = one('WORKDIR', rest);
  return path.startsWith('/')
    ? path
    : `${config.workingDirectory === '' ? '/' : config.workingDirectory}/${path}`.replaceAll('//', '/');
}
