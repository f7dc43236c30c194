/** A reporter for node:test that writes one line, `PASSED FAILED SKIPPED`, when a run ends. Used by script/test. */
import type { EventData } from 'node:test';

interface SummaryEvent {
  type: string;
  data: EventData.TestSummary;
}

export default async function* counts(source: AsyncIterable<SummaryEvent>): AsyncGenerator<string> {
  for await (const event of source) {
    if (event.type !== 'test:summary' || event.data.file !== undefined) continue;
    const { tests, passed, skipped, todo } = event.data.counts;
    yield `${passed} ${tests - passed - skipped - todo} ${skipped + todo}\n`;
  }
}
