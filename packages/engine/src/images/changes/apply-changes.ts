/** `--change` of `docker commit` and `docker import`: Dockerfile instructions that only change a configuration. Pure. */
import { posix } from 'node:path';
import { NetyardError } from '@netyard/core';
import type { ImageConfig } from '../../model.ts';
import { parseSignal } from '../../processes/signals.ts';
import { parseExposedPort } from '../image-config.ts';
import { parseHealthcheck } from './healthcheck.ts';
import { type Instruction, parseInstruction, parseInstructions, readFlags } from './instruction.ts';
import { parseList } from './list.ts';
import { expandWord, splitWords, variablesOf } from './words.ts';

export interface Changed {
  config: ImageConfig;
  hasCommand: boolean;
  hasEntrypoint: boolean;
}

type Change = (changed: Changed, instruction: Instruction) => Changed;

/** A change of the configuration from the instruction's text, of which no flag is known. */
const text =
  (change: (config: ImageConfig, rest: string) => Partial<ImageConfig>, least = 1): Change =>
  (changed, instruction) => {
    readFlags(instruction, []);
    if (least > 0 && instruction.rest === '') {
      throw new NetyardError('invalid', `${instruction.name} requires at least one argument`);
    }
    return { ...changed, config: { ...changed.config, ...change(changed.config, instruction.rest) } };
  };

/** The same for an instruction with one argument, which may contain spaces. */
const single =
  (change: (config: ImageConfig, word: string) => Partial<ImageConfig>): Change =>
  (changed, instruction) => {
    if (instruction.rest === '') {
      throw new NetyardError('invalid', `${instruction.name} requires exactly one argument`);
    }
    return text((config, rest) => change(config, expand(config, rest)))(changed, instruction);
  };

const changes: Readonly<Record<string, Change>> = {
  CMD: (changed, instruction) => ({
    ...text((config, rest) => ({ command: parseCommand(config, rest) }), 0)(changed, instruction),
    hasCommand: true,
  }),
  ENTRYPOINT: (changed, instruction) => {
    const next = text((config, rest) => ({ entrypoint: parseCommand(config, rest) }), 0)(changed, instruction);
    // As in a Dockerfile: the former command was written for the former entrypoint.
    const config = changed.hasCommand ? next.config : { ...next.config, command: [] };
    return { ...next, config, hasEntrypoint: true };
  },
  ENV: text((config, rest) => ({ env: withVariables(config.env, parsePairs(config, 'ENV', rest)) })),
  EXPOSE: text((config, rest) => {
    const ports = parsePorts(config, rest);
    const { exposedKeys } = config;
    return {
      exposed: uniquePorts([...config.exposed, ...ports]),
      ...(exposedKeys ? { exposedKeys: [...new Set([...exposedKeys, ...ports.map(portKey)])] } : {}),
    };
  }),
  HEALTHCHECK: (changed, instruction) => ({
    ...changed,
    config: { ...changed.config, healthcheck: parseHealthcheck(instruction) },
  }),
  LABEL: text((config, rest) => ({
    labels: checkSize({ ...config.labels, ...Object.fromEntries(parsePairs(config, 'LABEL', rest)) }),
  })),
  ONBUILD: text((config, rest) => ({ onBuild: [...(config.onBuild ?? []), checkTrigger(rest)] })),
  STOPSIGNAL: single((_, word) => ({ stopSignal: checkSignal(word) })),
  USER: single((_, user) => ({ user })),
  VOLUME: text((config, rest) => ({ volumes: [...new Set([...config.volumes, ...parseVolumes(config, rest)])] })),
  WORKDIR: single((config, word) => ({ workingDirectory: joinDirectory(config, word) })),
};

/** Each copies the configuration. Docker has no limit. */
const mostInstructions = 500;
/** Characters of the variables, or labels: repeating others, they could fill the memory. */
const longestPairs = 4 * 1024 * 1024;
const mostPorts = 3 * 65_535;

/** Throws `invalid` for any other instruction, before any is applied. */
export function applyChanges(config: ImageConfig, lines: readonly string[]): Changed {
  const unchanged: Changed = { config, hasCommand: false, hasEntrypoint: false };
  if (lines.length === 0) return unchanged;
  const instructions = parseInstructions(lines);
  if (instructions.length > mostInstructions) {
    throw new NetyardError('invalid', `more than ${mostInstructions} changes`);
  }
  const unknown = instructions.find(({ name }) => changes[name] === undefined);
  if (unknown) throw new NetyardError('invalid', `${unknown.written} is not a valid change command`);
  return instructions.reduce((changed, instruction) => {
    const change = changes[instruction.name];
    return change ? change(changed, instruction) : changed;
  }, unchanged);
}

const expand = ({ env }: ImageConfig, word: string): string => expandWord(word, variablesOf(env));

/** `["a", "b"]` is the exec form; anything else, also nothing, is run by the shell. */
function parseCommand(config: ImageConfig, rest: string): string[] {
  return parseList(rest) ?? [...(config.shell ?? ['/bin/sh', '-c']), ...(rest === '' ? [] : [rest])];
}

/** `A=1 B="2 3"`, or the old form `A all the rest`. All values are expanded with the variables before. */
function parsePairs(config: ImageConfig, instruction: string, rest: string): [string, string][] {
  const words = splitWords(rest);
  const raw = words[0]?.includes('=') ? words.map(splitPair) : [splitOldPair(instruction, rest)];
  const variables = variablesOf(config.env);
  let length = 0;
  return raw.map(([name, value]) => {
    const pair: [string, string] = [expandWord(name, variables), expandWord(value, variables)];
    if (pair[0] === '') throw new NetyardError('invalid', `${instruction} names can not be blank`);
    length = checkLength(length + pair[0].length + pair[1].length);
    return pair;
  });
}

function checkLength(length: number): number {
  if (length <= longestPairs) return length;
  throw new NetyardError('invalid', `variables or labels have more than ${longestPairs} characters`);
}

function checkSize<T extends Readonly<Record<string, string>> | readonly string[]>(texts: T): T {
  checkLength(Object.values(texts).reduce((sum, value) => sum + value.length, 0));
  return texts;
}

function splitPair(word: string): [string, string] {
  const equals = word.indexOf('=');
  if (equals >= 0) return [word.slice(0, equals), word.slice(equals + 1)];
  throw new NetyardError('invalid', `Syntax error - can't find = in "${word}". Must be of the form: name=value`);
}

function splitOldPair(instruction: string, rest: string): [string, string] {
  const match = /^(\S+)\s+(.+)$/s.exec(rest);
  if (!match?.[1]) throw new NetyardError('invalid', `${instruction} must have two arguments`);
  return [match[1], match[2] ?? ''];
}

function withVariables(env: readonly string[], pairs: readonly [string, string][]): string[] {
  const entries = [...env];
  const places = new Map<string, number>();
  for (const [index, entry] of env.entries()) {
    const name = entry.split('=', 1)[0] ?? '';
    if (!places.has(name)) places.set(name, index);
  }
  for (const [name, value] of pairs) {
    const index = places.get(name) ?? entries.length;
    places.set(name, index);
    entries[index] = `${name}=${value}`;
  }
  return checkSize(entries);
}

type Ports = ImageConfig['exposed'];

/** `80`, `80/udp`, `8000-8003/tcp`, several at once. */
function parsePorts(config: ImageConfig, rest: string): Ports {
  const specs = splitWords(rest).flatMap((word) => expand(config, word).split(/\s+/));
  const ports: Ports[number][] = [];
  for (const spec of specs.filter((each) => each !== '')) {
    for (const port of parsePortRange(spec)) ports.push(port);
    if (ports.length > mostPorts) throw new NetyardError('invalid', 'EXPOSE lists more ports than there are');
  }
  return ports;
}

function parsePortRange(spec: string): Ports {
  const range = /^(\d+)-(\d+)(\/\w+)?$/.exec(spec);
  if (!range) return [parseExposedPort(spec)];
  const [first, last] = [parseExposedPort(`${range[1]}${range[3] ?? ''}`), parseExposedPort(`${range[2]}`)];
  if (last.port < first.port) throw new NetyardError('invalid', `Invalid containerPort: ${spec}`);
  return Array.from({ length: last.port - first.port + 1 }, (_, index) => ({ ...first, port: first.port + index }));
}

const portKey = ({ port, protocol }: Ports[number]): string => `${port}/${protocol}`;
const uniquePorts = (ports: Ports): Ports => [...new Map(ports.map((port) => [portKey(port), port])).values()];

function parseVolumes(config: ImageConfig, rest: string): string[] {
  const words = parseList(rest) ?? splitWords(rest);
  if (words.length === 0) throw new NetyardError('invalid', 'VOLUME requires at least one argument');
  return words.map((word) => {
    const path = expand(config, word).trim();
    if (path === '') throw new NetyardError('invalid', 'VOLUME specified can not be an empty string');
    return path;
  });
}

function checkSignal(signal: string): string {
  parseSignal(signal);
  return signal;
}

/** The trigger runs in a later build, which checks the rest of it. */
function checkTrigger(rest: string): string {
  const { name } = parseInstruction(rest);
  if (name === 'ONBUILD') throw new NetyardError('invalid', "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  if (name === 'FROM' || name === 'MAINTAINER') {
    throw new NetyardError('invalid', `${name} isn't allowed as an ONBUILD trigger`);
  }
  return rest;
}

/** A relative one is resolved against the previous one. */
function joinDirectory({ workingDirectory }: ImageConfig, path: string): string {
  if (path === '') throw new NetyardError('invalid', 'cannot normalize nothing');
  return path.startsWith('/') ? path : posix.join('/', workingDirectory, path);
}
