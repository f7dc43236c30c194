/** Command lines in the documents: what they call is there and takes these words. What they do is for other tests. */
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseFlags } from '../packages/cli/src/program/flags.ts';
import { rootEntry } from '../packages/cli/src/program/registry.ts';
import type { Entry } from '../packages/cli/src/program/spec.ts';
import { daemonOptions, flagOf } from '../packages/daemon/src/options.ts';
import { labCommand } from '../packages/lab/src/command.ts';

const top = join(import.meta.dirname, '..');
const documents = globSync(['*.md', 'docs/*.md', 'packages/*/README.md', 'examples/**/README.md'], { cwd: top }).sort();

/** Lines of code blocks and pieces of code in sentences that start with `netyard`. Pure. */
function linesOf(text: string): string[] {
  const blocks = [...text.matchAll(/^```(?:sh)?\n(.*?)^```/gms)].map((match) => match[1] ?? '');
  const spans = [...text.replaceAll(/^```.*?^```/gms, '').matchAll(/`([^`\n]+)`/g)].map((match) => match[1] ?? '');
  const lines = blocks.flatMap((block) => block.replaceAll(/\\\n\s*/g, '').split('\n'));
  return [...lines, ...spans]
    .map((line) => line.replace(/^\s*(?:bin\/)?netyard\b/, 'netyard').replace(/ +#.*$| [|>&] .*$/, ''))
    .filter((line) => /^netyard [a-z]/.test(line));
}

/** What is wrong with a line's words, if anything is. `…` stands for words left out. */
async function wrongWith(words: readonly string[], entry: Entry = rootEntry): Promise<string | undefined> {
  const [word, ...rest] = words;
  if (entry.name === 'daemon') return wrongWithDaemon(words);
  if (entry.name === 'lab') return await wrongWithLab(words);
  if (entry.children) {
    const child = entry.children.find(({ name, aliases }) => name === word || aliases?.includes(word ?? ''));
    if (child) return wrongWith(rest, child);
    return word === undefined || word === '…' ? undefined : `no command ${word}`;
  }
  const spec = await entry.load?.();
  if (!spec || words.length === 0) return undefined; // the name of the command alone is a way to speak of it
  const { args } = parseFlags([...words], spec.flags, spec.stopAtArgument ?? false);
  const [least, most] = spec.args;
  return args.length <= most && (args.length >= least || words.includes('…')) ? undefined : `${args.length} arguments`;
}

const daemonFlags = daemonOptions.map((option) => ({
  name: flagOf(option),
  ...(option.short === undefined ? {} : { short: option.short }),
  ...{ type: option.kind === 'switch' ? ('bool' as const) : ('list' as const), help: option.help },
}));
daemonFlags.push({ name: 'config-file', type: 'list', help: '' });

function wrongWithDaemon(words: readonly string[]): string | undefined {
  const { args } = parseFlags([...words], daemonFlags, false);
  return args.every((word) => word === '…') ? undefined : `arguments: ${args.join(' ')}`;
}

async function wrongWithLab([word, ...rest]: readonly string[]): Promise<string | undefined> {
  const known = (await labCommand()).commands.some((command) => command.name() === word);
  if (!known) return word === undefined || word === '…' ? undefined : `no command lab ${word}`;
  const [file, end] = [rest[0] ?? '', rest.indexOf('--')];
  if (word === 'up' && file.startsWith('examples/') && !existsSync(join(top, file))) return `no file ${file}`;
  return word === 'exec' && rest[end + 1] === 'netyard' ? await wrongWith(rest.slice(end + 2)) : undefined;
}

for (const document of documents) {
  test(`${document} calls what is there`, async () => {
    for (const line of linesOf(readFileSync(join(top, document), 'utf8'))) {
      const words = [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(([, a, b, c]) => a ?? b ?? c ?? '');
      const wrong = await wrongWith(words.slice(1)).catch((error: Error) => error.message);
      assert.equal(wrong, undefined, line);
    }
  });
}
