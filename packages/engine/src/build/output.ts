/** Turns what buildah prints into the lines of Docker's classic builder. Pure. */
import { parseList } from '../images/changes/list.ts';
import { commandOf, type Dockerfile, type Stage, type Step } from './dockerfile.ts';

const defaultShell: readonly string[] = ['/bin/sh', '-c'];
const noise =
  /^(?:Getting image source signatures|Writing manifest to image destination|Storing signatures|Copying (?:blob|config) .*|(?:\[\d+\/\d+\] )?COMMIT(?: .*)?|[0-9a-f]{64})$/;
const log = /^time="[^"]*" level=(\w+) msg=(.*)$/;

export interface BuildError {
  code?: number;
  message: string;
}

export class BuildOutput {
  readonly #steps: readonly Step[];
  readonly #total: number;
  #shown = 0;
  /** Indices of the steps of each name, the last one first; those before `#next` are removed. */
  readonly #places = new Map<string, number[]>();
  /** Index of the next step that buildah may announce. */
  #next = 0;
  #current: Step | undefined;
  #shell = defaultShell;
  /** A line that looks like the final error: shown if others follow. */
  #held: string | undefined;
  #problem = '';

  constructor({ globals }: Dockerfile, stages: readonly Stage[], hasLabels: boolean) {
    this.#steps = [...globals, ...stages.flatMap(({ steps }) => steps)];
    for (const [index, { name }] of [...this.#steps.entries()].reverse()) {
      const places = this.#places.get(name);
      if (places) places.push(index);
      else this.#places.set(name, [index]);
    }
    this.#total = this.#steps.length + (hasLabels ? 1 : 0);
  }

  /** Lines to show, with their ends. */
  add(line: string): string[] {
    const [, level = '', logged = ''] = log.exec(line) ?? [];
    if (level !== '') {
      if (level === 'error' || level === 'fatal') this.#problem = unquoted(logged);
      return [];
    }
    if (/^Error: |^error building at STEP /.test(line)) {
      const before = this.#held;
      this.#held = line;
      return before === undefined ? [] : [`${before}\n`];
    }
    if (noise.test(line)) return [];
    const held = this.#held;
    this.#held = undefined;
    return [...(held === undefined ? [] : [`${held}\n`]), ...this.#translate(line)];
  }

  #translate(line: string): string[] {
    const step = /^(?:\[\d+\/\d+\] )?STEP \d+\/\d+: (.*)$/.exec(line);
    if (step) return this.#announce(step[1] ?? '');
    const id = /^--> ([0-9a-f]{8,64})$/.exec(line)?.[1];
    if (id !== undefined) return [` ---> ${id.slice(0, 12)}\n`];
    const unused = /^\[Warning\] one or more build args were not consumed: \[(.*)\]$/.exec(line)?.[1];
    if (unused !== undefined) return [`[Warning] One or more build-args [${unused}] were not consumed\n`];
    return [`${line}\n`];
  }

  /** Buildah does not announce ARG before FROM, and shows images for names of stages. */
  #announce(text: string): string[] {
    const name = text.split(/\s/, 1)[0]?.toUpperCase();
    const lines: string[] = [];
    const found = this.#find(name ?? '');
    if (found >= 0) {
      for (const skipped of this.#steps.slice(this.#next, found)) {
        if (this.#next === 0 && skipped.name === 'ARG') lines.push(this.#line(skipped.text));
      }
      this.#next = found + 1;
    }
    this.#current = this.#steps[found];
    if (name === 'FROM') this.#shell = defaultShell;
    if (name === 'SHELL') this.#shell = parseList(this.#current?.rest ?? '') ?? this.#shell;
    return [...lines, this.#line(this.#current?.text ?? text)];
  }

  /** Steps of a build can print such lines, too, so that a search through all steps would be too slow. */
  #find(name: string): number {
    const places = this.#places.get(name) ?? [];
    while ((places.at(-1) ?? this.#next) < this.#next) places.pop();
    return places.at(-1) ?? -1;
  }

  #line(text: string): string {
    this.#shown = Math.min(this.#shown + 1, this.#total);
    return `Step ${this.#shown}/${this.#total} : ${text}\n`;
  }

  /** Why the build failed, in Docker's words where they are known. */
  error(): BuildError {
    const message = (this.#held?.replace(/^Error: /, '') ?? this.#problem).replace(/ &imagebuilder\.Step\{.*$/s, '');
    const status = /while running runtime: exit status (\d+)/.exec(message)?.[1];
    if (status !== undefined && this.#current?.name === 'RUN') {
      const command = commandOf(this.#current.rest, this.#shell);
      return { code: Number(status), message: `The command '${command}' returned a non-zero code: ${status}` };
    }
    const missing = /copier: stat: "([^"]+)": no such file or directory/.exec(message)?.[1];
    if (missing !== undefined) {
      const path = missing.replace(/^\//, '');
      return {
        message: `${this.#current?.name ?? 'COPY'} failed: file not found in build context or excluded by .dockerignore: stat ${path}: file does not exist`,
      };
    }
    const reason = message.replace(/^(?:error )?building at STEP ".*?": (?=\w)/s, '');
    return { message: reason === '' ? 'the build failed without a message' : reason };
  }
}

/** The end of the output of a quiet build, which is shown if it fails. Lines have any length, so characters are limited. */
export class LastLines {
  readonly lines: string[] = [];
  readonly #limit: number;
  #length = 0;

  constructor(limit = 1024 * 1024) {
    this.#limit = limit;
  }

  add(line: string): void {
    this.lines.push(line);
    this.#length += line.length;
    while (this.#length > this.#limit && this.lines.length > 1) {
      for (const { length } of this.lines.splice(0, Math.floor(this.lines.length / 2))) this.#length -= length;
    }
  }
}

function unquoted(text: string): string {
  try {
    return String(JSON.parse(text));
  } catch {
    return text;
  }
}
