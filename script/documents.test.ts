/**
 * Checks the documents: command lines call existing commands with flags and arguments that they accept, and paths and
 * links lead to existing files. Other tests check what the commands do.
 */
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { rootEntry } from '../packages/cli/src/command-table.ts';
import { parseFlags } from '../packages/cli/src/program/flags.ts';
import type { Entry, ForeignCommand } from '../packages/cli/src/program/spec.ts';

const top = join(import.meta.dirname, '..');
const documents = globSync(
  ['*.md', 'docs/*.md', 'docs/questions/*.md', 'packages/*/README.md', 'examples/**/README.md'],
  { cwd: top },
).sort();

/** Lines of code blocks and inline code that start with `netyard`. Pure. */
function linesOf(text: string): string[] {
  const fenced = [...text.matchAll(/^```(\w*)\n(.*?)^```/gms)];
  const blocks = fenced.flatMap(([, language, block]) => (language === '' || language === 'sh' ? [block ?? ''] : []));
  const spans = [...text.replaceAll(/^```.*?^```/gms, '').matchAll(/`([^`\n]+)`/g)].map((match) => match[1] ?? '');
  const lines = blocks.flatMap((block) => block.replaceAll(/\\\n\s*/g, '').split('\n'));
  return [...lines, ...spans]
    .map((line) => line.replace(/^\s*(?:bin\/)?netyard\b/, 'netyard').replace(/ +#.*$| [|>&] .*$/, ''))
    .filter((line) => /^netyard [a-z]/.test(line));
}

/** Why a command line is invalid, or undefined. `…` stands for omitted words. */
async function problemOf(words: readonly string[], entry: Entry = rootEntry): Promise<string | undefined> {
  const [word, ...rest] = words;
  if (entry.foreign) return await problemOfForeign(words, await entry.foreign());
  if (entry.children) {
    const child = entry.children.find(({ name, aliases }) => name === word || aliases?.includes(word ?? ''));
    if (child) return problemOf(rest, child);
    return word === undefined || word === '…' ? undefined : `no command ${word}`;
  }
  const spec = await entry.load?.();
  if (!spec || words.length === 0) return undefined; // a document may refer to a command by its name alone
  const { args } = parseFlags([...words], spec.flags, spec.stopAtArgument ?? false);
  const [least, most] = spec.args;
  return args.length <= most && (args.length >= least || words.includes('…')) ? undefined : `${args.length} arguments`;
}

/** The same for commands of another parser: `daemon` and those of `lab`. */
async function problemOfForeign(words: readonly string[], command: ForeignCommand): Promise<string | undefined> {
  const [word = '', ...rest] = words;
  const child = command.commands.find((candidate) => candidate.name() === word);
  if (child) return await problemOfForeign(rest, child);
  if (command.commands.length > 0) return word === '' || word === '…' ? undefined : `no command ${word}`;
  const end = words.indexOf('--');
  if (words[end + 1] === 'netyard' && end >= 0) return await problemOf(words.slice(end + 2));
  const names = new Set(command.options.flatMap(({ long, short }) => [long, short]));
  const own = end < 0 ? words : words.slice(0, end);
  const unknown = own.find((name) => name.startsWith('-') && !names.has(name.replace(/=.*$/, '')));
  if (unknown !== undefined) return `unknown flag: ${unknown}`;
  return own.find((name) => name.startsWith('examples/') && !existsSync(join(top, name)));
}

for (const document of documents) {
  test(`${document} calls existing commands`, async () => {
    for (const line of linesOf(readFileSync(join(top, document), 'utf8'))) {
      const words = [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(([, a, b, c]) => a ?? b ?? c ?? '');
      const problem = await problemOf(words.slice(1)).catch((error: Error) => error.message);
      assert.equal(problem, undefined, line);
    }
  });
}

/** Inline code that is a path from the root of the repository. NAME stands for any name. Pure. */
function pathsOf(text: string): string[] {
  const spans = [...text.replaceAll(/^ *```.*?^ *```/gms, '').matchAll(/`([^`\n]+)`/g)].map((match) => match[1] ?? '');
  return spans.filter(
    (span) => /^(?:packages|script|docs|e2e|examples|bench)\/[\w./-]*$/.test(span) && !/\bNAME\b/.test(span),
  );
}

/** Targets of links to files. Pure. */
function linksOf(text: string): string[] {
  const targets = [...text.replaceAll(/^ *```.*?^ *```/gms, '').matchAll(/\]\(([^)\s]+)\)/g)].map(
    (match) => match[1] ?? '',
  );
  return targets.filter((target) => !/^(?:https?:|#)/.test(target)).map((target) => target.replace(/#.*$/, ''));
}

for (const document of ['ARCHITECTURE.md', 'CONTRIBUTING.md']) {
  test(`${document} names existing files`, () => {
    const paths = pathsOf(readFileSync(join(top, document), 'utf8'));
    assert.ok(paths.length > 0);
    assert.deepEqual(
      paths.filter((path) => !existsSync(join(top, path))),
      [],
    );
  });
}

for (const document of [...documents, ...globSync('docs/decisions/*.md', { cwd: top }).sort()]) {
  test(`links of ${document} lead to existing files`, () => {
    const links = linksOf(readFileSync(join(top, document), 'utf8'));
    assert.deepEqual(
      links.filter((link) => !existsSync(join(top, dirname(document), link))),
      [],
    );
  });
}
