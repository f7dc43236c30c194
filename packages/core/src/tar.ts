/**
 * Reading tar archives entry by entry; what is done with an entry is the caller's. The tar library is loaded at the
 * first archive, as most who use this box never see one.
 */
import type { Extract, Header } from 'tar-stream';
import { messageOf, NetyardError } from './errors.ts';

/** What tar-stream reads and writes, with the pax records by their real type. */
export interface TarHeader extends Partial<Omit<Header, 'name' | 'pax'>> {
  name: string;
  pax?: Record<string, string> | null;
}

export interface TarEntry {
  header: TarHeader;
  /** Read it to its end before the next entry, or `skip`. */
  body: AsyncIterable<Uint8Array>;
  skip(): void;
}

/**
 * Entries in their order. Damaged or cut-off archives end in `invalid`, a failure of the source in that failure;
 * leaving early closes the source.
 */
export async function* tarEntries(source: AsyncIterable<Uint8Array>): AsyncGenerator<TarEntry> {
  const { extract } = await import('tar-stream');
  const parser = extract();
  parser.on('error', told);
  const feeding = feed(parser, source);
  try {
    for await (const entry of explained(parser, feeding)) {
      entry.on('error', told);
      yield {
        header: entry.header as TarHeader,
        body: explained(entry as unknown as AsyncIterable<Uint8Array>, feeding),
        skip: () => void entry.resume(),
      };
    }
  } finally {
    parser.destroy();
    await feeding.ended;
  }
}

/** Whoever reads is told by the iteration; without a listener an entry that nobody reads would end the process. */
const told = (): void => undefined;

interface Feeding {
  ended: Promise<void>;
  failure?: unknown;
}

/** A failure of the source becomes the parser's. */
function feed(parser: Extract, source: AsyncIterable<Uint8Array>): Feeding {
  const feeding: Feeding = { ended: Promise.resolve() };
  const run = async (): Promise<void> => {
    for await (const chunk of source) {
      if (parser.destroying) return;
      if (!parser.write(chunk)) await drained(parser);
    }
    parser.end(null);
  };
  feeding.ended = run().catch((error: unknown) => {
    feeding.failure = error;
    parser.destroy(error instanceof Error ? error : new Error(String(error)));
  });
  return feeding;
}

/** The same, with errors as `tarEntries` promises them. */
async function* explained<T>(stream: AsyncIterable<T>, feeding: Feeding): AsyncGenerator<T> {
  try {
    yield* stream;
  } catch (error) {
    if (feeding.failure !== undefined) throw feeding.failure;
    throw new NetyardError('invalid', `invalid tar archive: ${messageOf(error)}`, { cause: error });
  }
}

function drained(parser: Extract): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      parser.off('drain', done);
      parser.off('close', done);
      resolve();
    };
    parser.on('drain', done);
    parser.on('close', done);
    if (parser.destroyed) done();
  });
}

/**
 * A member's path as clean text without a leading slash, '' for the top itself; undefined when it leads out of the
 * archive's top. Pure.
 */
export function memberPath(name: string): string | undefined {
  const parts: string[] = [];
  for (const part of name.split('/')) {
    if (part === '..') {
      if (parts.pop() === undefined) return undefined;
    } else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts.join('/');
}

const xattrPrefix = 'SCHILY.xattr.';

/** Extended attributes among the pax records of an entry. Pure. */
export function xattrsOf(header: TarHeader): { name: string; value: string }[] {
  return Object.entries(header.pax ?? {})
    .filter(([key]) => key.startsWith(xattrPrefix))
    .map(([key, value]) => ({ name: key.slice(xattrPrefix.length), value }));
}

export const paxXattr = (name: string): string => xattrPrefix + name;
