/** One step of an explanation: a kernel object with its equivalent commands, or a command that no object stands for. */
import { describeObject, type KernelObject, printCommands, quoteWord } from '@netyard/kernel';

export interface Step {
  /** Kind of the object, or `route`, `rule`, `vlan`. */
  kind: string;
  description: string;
  commands: string[];
}

/** What the commands create, and what was observed but has no command here. */
export interface Explanation {
  /** `container web of docker (9ccc2c59c9e3), as observed on server1`. */
  title: string;
  steps: Step[];
  notes: string[];
}

export const objectStep = (object: KernelObject): Step => ({
  kind: object.kind,
  description: describeObject(object),
  commands: printCommands({ action: 'create', object }),
});

/** `ip`, executed in a namespace below `/run/netns`; undefined is the host's. Words are quoted, undefined ones omitted. */
export function ipStep(kind: string, ns: string | undefined, ...words: (string | number | undefined)[]): Step {
  const text = words.flatMap((word) => (word === undefined || word === '' ? [] : quoteWord(String(word)))).join(' ');
  const name = ns?.slice(ns.lastIndexOf('/') + 1);
  const prefix = name === undefined ? 'ip' : `ip -n ${quoteWord(name)}`;
  return { kind, description: `${text}${name === undefined ? '' : ` in ${name}`}`, commands: [`${prefix} ${text}`] };
}

/** `key value`, or nothing without a value. */
export const words = (key: string, value: string | number | undefined): (string | number | undefined)[] =>
  value === undefined ? [] : [key, value];

/** A POSIX shell script. */
export function printExplanation({ title, steps, notes }: Explanation): string {
  const comments = [title, ...notes].map((text) => `# ${text.replace(/[\r\n]+/g, ' ')}`);
  return ['#!/bin/sh', ...comments, 'set -e', '', ...steps.flatMap(({ commands }) => commands), ''].join('\n');
}
