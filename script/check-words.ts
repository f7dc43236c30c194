/**
 * Finds words of the project's former private dialect in code, tests, scripts and English documents, and names the
 * standard term. Run by `npm run check:words`; CONTRIBUTING.md has the glossary.
 *
 *     node script/check-words.ts [FOLDER…]
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

interface Term {
  pattern: RegExp;
  instead: string;
}

const terms: readonly Term[] = [
  { pattern: /\b(?:told|tells?|telling)\b/i, instead: 'report, log, emit, return, say' },
  { pattern: /\bmend(?:s|ed|ing|er)?\b/i, instead: 'repair, reconcile' },
  {
    pattern: /\b(?:nobody(?!:)|somebody|whoever)\b/i,
    instead: 'no client, another program, the caller: name the subject',
  },
  { pattern: /\bcures?\b/i, instead: 'hint, fix' },
  { pattern: /\bwish(?:es)?\b/i, instead: 'request, options, spec' },
  { pattern: /\bwanted\b/i, instead: 'desired, requested, expected' },
  { pattern: /\btwins?\b/i, instead: 'equivalent command, duplicate' },
  { pattern: /\bplayed\b/i, instead: 'simulated' },
  { pattern: /\b(?:crowd|yard|namesakes?|lasting|misplaced)\b/i, instead: 'the object’s own name' },
  { pattern: /(?<!\bview )\bbox(?:es)?\b/i, instead: 'package' },
  { pattern: /\bstrangers?\b/i, instead: 'foreign traffic, other hosts, untrusted client' },
  { pattern: /\b(?:gives?|given|giving|gave) back\b/i, instead: 'release, return' },
  { pattern: /\b(?:takes?|taken|taking|took) (?:away|down)\b/i, instead: 'delete, tear down' },
  { pattern: /\bwhat is there\b/i, instead: 'observed state, existing objects' },
  { pattern: /\b(?:in words|words? for)\b/i, instead: 'message, text, description' },
  { pattern: /\b(?:lets?|letting) in\b/i, instead: 'accept, admit' },
  { pattern: /\bwritten down\b/i, instead: 'configured, recorded' },
  { pattern: /\bhears?\b/i, instead: 'receives' },
];

/** Files that quote the dialect on purpose. */
const exempt = ['script/check-words.ts', 'script/check-words.test.ts'];

export interface FoundWord {
  line: number;
  word: string;
  instead: string;
}

/** Every dialect word of a text, by line. Pure. */
export function findWords(text: string): FoundWord[] {
  return text.split('\n').flatMap((content, index) => {
    // An identifier is a word too: isWanted, WANTED_PORTS.
    const spaced = content.replace(/([a-z])([A-Z])/g, '$1 $2').replace(/_/g, ' ');
    return terms.flatMap(({ pattern, instead }) => {
      const match = pattern.exec(spaced);
      return match ? [{ line: index + 1, word: match[0], instead }] : [];
    });
  });
}

/** Documents in Chinese have their own standard terms. */
const isChecked = (file: string): boolean =>
  /\.(?:ts|md|sh|ya?ml)$|^(?:script|bin)\/[^.]*$/.test(file) &&
  !/_pb\.ts$|\.zh-CN\.md$/.test(file) &&
  !exempt.includes(file);

function main(): void {
  const top = join(dirnameOfScript(), '..');
  // The repository may belong to another user than root.
  const list = ['-c', 'safe.directory=*', 'ls-files', '--', ...process.argv.slice(2)];
  const files = execFileSync('git', list, { cwd: top, encoding: 'utf8' }).split('\n').filter(isChecked);
  let count = 0;
  for (const file of files) {
    for (const { line, word, instead } of findWords(readFileSync(join(top, file), 'utf8'))) {
      count += 1;
      console.error(`${file}:${line}: "${word}": ${instead}`);
    }
  }
  if (count === 0) console.log(`No dialect words in ${files.length} files.`);
  else process.exitCode = 1;
}

const dirnameOfScript = (): string => join(fileURLToPath(import.meta.url), '..');

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
