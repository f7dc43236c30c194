/**
 * A reporter for node:test that writes one line `FAILED <tab> FILE <tab> TEST` for each test that failed, and when a run
 * ends one line `PASSED FAILED SKIPPED` with the numbers of tests. Used by script/test.
 */
import { relative } from 'node:path';
import type { EventData } from 'node:test';

type FailedTest = Pick<EventData.TestFail, 'name' | 'nesting' | 'file' | 'todo'> & {
  details: { error: { failureType?: string } };
};

/** The events that count here. Those of other types are ignored. */
export type ResultEvent =
  | { type: 'test:start'; data: Pick<EventData.TestStart, 'name' | 'nesting'> }
  | { type: 'test:fail'; data: FailedTest }
  | { type: 'test:summary'; data: Pick<EventData.TestSummary, 'counts' | 'file'> };

export default async function* results(source: AsyncIterable<ResultEvent>): AsyncGenerator<string> {
  // Titles of the test that started last and of the tests around it. A test is reported after the tests inside it.
  const titles: string[] = [];
  for await (const { type, data } of source) {
    if (type === 'test:start') titles.splice(data.nesting, titles.length, data.name);
    if (type === 'test:fail' && isCause(data)) yield lineOf(data, [...titles.slice(0, data.nesting), data.name]);
    if (type === 'test:summary' && data.file === undefined) yield countsOf(data.counts);
  }
}

/** Whether a test failed by itself, not because of one inside it. A test marked as `todo` may fail. Pure. */
const isCause = ({ todo, details }: FailedTest): boolean =>
  todo === undefined && details.error.failureType !== 'subtestsFailed';

/** A file that fails outside of its tests is reported as a test whose title is the file's path. Pure. */
function lineOf({ name, file = name }: FailedTest, titles: readonly string[]): string {
  const path = file.startsWith('/') ? relative(process.cwd(), file) : file;
  const title = name === file || name === path ? 'the file itself' : titles.join(' > ');
  return `FAILED\t${path}\t${title.replaceAll(/\p{Cc}+/gu, ' ')}\n`;
}

/** Cancelled tests, for example those after a timeout, count as failed. Pure. */
const countsOf = ({ tests, passed, skipped, todo }: EventData.TestSummary['counts']): string =>
  `${passed} ${tests - passed - skipped - todo} ${skipped + todo}\n`;
