/** Reads a Dockerfile as far as the daemon has to know it: stages, base images and steps. Pure. */
import { NetyardError } from '@netyard/core';
import { parseInstruction } from '../images/changes/instruction.ts';
import { parseList } from '../images/changes/list.ts';
import { expandWord, splitWords } from '../images/changes/words.ts';

export interface Step {
  /** Upper case. */
  name: string;
  /** As written, on one line. */
  text: string;
  /** What follows the name. */
  rest: string;
  /** First line, from 1. */
  line: number;
}

export interface Stage {
  /** Lower case; '' without one. */
  name: string;
  /** Begins with FROM. */
  steps: Step[];
  /** The image or stage that it is based on, with variables replaced. */
  base: string;
}

export interface Dockerfile {
  /** ARG before the first FROM. */
  globals: Step[];
  stages: Stage[];
}

const known = [
  ...['ADD', 'ARG', 'CMD', 'COPY', 'ENTRYPOINT', 'ENV', 'EXPOSE', 'FROM', 'HEALTHCHECK', 'LABEL', 'MAINTAINER'],
  ...['ONBUILD', 'RUN', 'SHELL', 'STOPSIGNAL', 'USER', 'VOLUME', 'WORKDIR'],
];

/** Throws `invalid` with Docker's messages. @param buildArgs replace the defaults of ARG before FROM */
export function parseDockerfile(text: string, path: string, buildArgs: ReadonlyMap<string, string>): Dockerfile {
  const steps = splitSteps(text);
  if (steps.length === 0) throw new NetyardError('invalid', `the Dockerfile (${path}) cannot be empty`);
  const wrong = steps.find(({ name }) => !known.includes(name));
  if (wrong) throw parseError(wrong, `unknown instruction: ${wrong.text.split(/\s/, 1)[0]}${suggestion(wrong.name)}`);
  const first = steps.findIndex(({ name }) => name === 'FROM');
  const globals = first < 0 ? steps : steps.slice(0, first);
  if (globals.some(({ name }) => name !== 'ARG')) {
    throw new NetyardError('invalid', 'no build stage in current context');
  }
  if (first < 0) throw new NetyardError('invalid', 'No image was generated. Is your Dockerfile empty?');
  const variables = globalArguments(globals, buildArgs);
  const stages: Stage[] = [];
  for (const step of steps.slice(first)) {
    if (step.name === 'FROM') stages.push(openStage(step, variables));
    else stages.at(-1)?.steps.push(step);
  }
  return { globals, stages };
}

const parseError = ({ line }: Step, message: string): NetyardError =>
  new NetyardError('invalid', `dockerfile parse error on line ${line}: ${message}`);

const longestName = Math.max(...known.map((word) => word.length));
const mostDiffering = 2;

/** Docker suggests instructions that differ by at most two letters. */
function suggestion(name: string): string {
  if (name.length > longestName + mostDiffering) return '';
  const near = known.find((word) => distance(word, name) <= mostDiffering);
  return near === undefined ? '' : ` (did you mean ${near}?)`;
}

function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...b].entries())
      next.push(Math.min((row[j] ?? 0) + (letter === other ? 0 : 1), (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    row = next;
  }
  return row.at(-1) ?? 0;
}

/** More than any reference has; each stage's base is compared with the names of stages. */
const longestBase = 1024;

function openStage(step: Step, variables: ReadonlyMap<string, string>): Stage {
  const words = step.rest.split(/\s+/).filter((word) => !word.startsWith('--'));
  const [image = '', as = '', name = ''] = words;
  if (image === '' || (words.length !== 1 && !(words.length === 3 && as.toLowerCase() === 'as'))) {
    throw parseError(step, 'FROM requires either one or three arguments');
  }
  const base = expandWord(image, (variable) => variables.get(variable));
  if (base === '') throw parseError(step, `base name (${image}) should not be blank`);
  if (base.length > longestBase) throw parseError(step, `base name (${image}) is too long`);
  return { name: name.toLowerCase(), steps: [step], base };
}

function globalArguments(globals: readonly Step[], buildArgs: ReadonlyMap<string, string>): Map<string, string> {
  const values = new Map<string, string>();
  const replaced = (word: string): string => expandWord(word, (variable) => values.get(variable));
  for (const word of globals.flatMap(({ rest }) => splitWords(rest))) {
    const [name = '', ...value] = word.split('=');
    const given = buildArgs.get(name);
    if (given !== undefined) values.set(name, given);
    else if (word.includes('=')) values.set(name, replaced(value.join('=')));
  }
  return values;
}

/** The stages up to the target, which may be a name or a number. Throws `invalid` with Docker's message. */
export function stagesUntil({ stages }: Dockerfile, target: string): Stage[] {
  if (target === '') return stages;
  const index = /^\d+$/.test(target) ? Number(target) : stages.findIndex(({ name }) => name === target.toLowerCase());
  if (stages[index] === undefined) {
    throw new NetyardError('invalid', `target stage ${JSON.stringify(target)} could not be found`);
  }
  return stages.slice(0, index + 1);
}

/** The text without the stages after these: the last one is then the target. */
export function textUntil(text: string, { stages }: Dockerfile, until: readonly Stage[]): string {
  const next = stages[until.length]?.steps[0];
  return next === undefined
    ? text
    : text
        .split('\n')
        .slice(0, next.line - 1)
        .join('\n');
}

/** References of images that the stages use and that are no stages themselves, each once. */
export function imagesOf(stages: readonly Stage[]): string[] {
  const names = new Set<string>();
  const former = new Set<string>();
  const isStage = (name: string): boolean => former.has(name.toLowerCase());
  for (const stage of stages) {
    if (stage.base !== 'scratch' && !isStage(stage.base)) names.add(stage.base);
    for (const name of stage.steps.flatMap(sourcesOf)) if (!/^\d+$/.test(name) && !isStage(name)) names.add(name);
    if (stage.name !== '') former.add(stage.name);
  }
  return [...names];
}

/** What `--from=` and the `from=` of each `--mount=` name. Throws `invalid` for variables, as in Docker. */
function sourcesOf(step: Step): string[] {
  const { flags } = parseInstruction(step.text);
  const options = flags.flatMap((flag) =>
    flag.startsWith('mount=') ? flag.slice('mount='.length).split(',') : [flag],
  );
  const names = options.flatMap((option) => /^from=(.+)$/.exec(option)?.[1] ?? []);
  if (!names.some((name) => name.includes('$'))) return names;
  throw parseError(step, "'from' doesn't support variable expansion, define alias stage instead");
}

/**
 * Buildah would give `RUN --network=host` the host's network, which the user has not asked for. Throws `invalid` with
 * BuildKit's message.
 */
export function checkNetworks(stages: readonly Stage[]): void {
  const isHost = (step: Step): boolean =>
    step.name === 'RUN' && parseInstruction(step.text).flags.includes('network=host');
  const wrong = stages.flatMap(({ steps }) => steps).find(isHost);
  if (wrong) throw parseError(wrong, 'network.host is not allowed');
}

/** The command of a RUN step as Docker shows it. @param shell of the last SHELL instruction before it */
export function commandOf(rest: string, shell: readonly string[]): string {
  const command = rest.replace(/^(?:--\S+\s+)*/, '');
  return (parseList(command) ?? [...shell, command]).join(' ');
}

function splitSteps(text: string): Step[] {
  const escapeMark = /^\s*#\s*escape\s*=\s*`/im.test(text.split('\n', 1)[0] ?? '') ? '`' : '\\\\';
  const continued = new RegExp(`${escapeMark}[ \\t]*$`);
  const steps: Step[] = [];
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  for (let index = 0; index < lines.length; ) {
    const line = index + 1;
    let whole = '';
    let open = true;
    while (open && index < lines.length) {
      const part = lines[index] ?? '';
      index += 1;
      if (/^\s*#/.test(part) || (whole !== '' && part.trim() === '')) continue;
      open = continued.test(part);
      whole += open ? part.replace(continued, '') : part;
    }
    const trimmed = whole.trim();
    if (trimmed === '') continue;
    const [word = ''] = trimmed.split(/\s/, 1);
    const name = word.toUpperCase();
    steps.push({ name, text: trimmed, rest: trimmed.slice(word.length).trim(), line });
    if (name === 'RUN' || name === 'COPY' || name === 'ADD') index = skipHeredocs(trimmed, lines, index);
  }
  return steps;
}

/** @returns the index of the line behind the texts that the step has in the lines after it */
function skipHeredocs(step: string, lines: readonly string[], from: number): number {
  let index = from;
  for (const word of splitWords(step)) {
    const [, dash = '', name = ''] = /^\d*<<(-?)([^<]+)$/.exec(word) ?? [];
    const end = name.replaceAll(/["']/g, '');
    if (end === '') continue;
    const isEnd = (line: string): boolean => (dash === '' ? line : line.replace(/^\t+/, '')) === end;
    while (index < lines.length && !isEnd(lines[index] ?? '')) index += 1;
    index += 1;
  }
  return index;
}
