/** Netyard's own route for the journal: network changes and repairs, one JSON object per line. */
import type { JournalDifference, JournalEntry } from '@netyard/api-types';
import { formatTime, NetyardError } from '@netyard/core';
import { sendJson } from '../http/json-answer.ts';
import { pump } from '../http/pump.ts';
import { readTimestamp } from '../http/query.ts';
import { type Route, route } from '../http/router.ts';
import type { ApiOptions, JournalLine, JournalReader } from '../options.ts';

export function journalRoutes({ journal }: ApiOptions): Route[] {
  return [
    route('GET', '/netyard/v1/journal', async ({ query, answer, signal }) => {
      const [since, until] = [readTimestamp(query, 'since'), readTimestamp(query, 'until')];
      const reader = checkJournal(journal);
      const target = query.get('target') || undefined;
      const sink = answer.open(200, { 'Content-Type': 'application/x-ndjson' });
      await pump(reader.read({ target, since, until }), sink, encodeLine, signal);
      sink.end();
    }),
    route('GET', '/netyard/v1/journal/diff', async (exchange) => {
      const { query } = exchange;
      const [from, to] = [readTimestamp(query, 'from'), readTimestamp(query, 'to')];
      if (from === undefined) throw new NetyardError('invalid', 'the time of the first state is required: from');
      const difference = await checkJournal(journal).diff(from, to);
      const { commands } = difference;
      sendJson(exchange, 200, {
        From: formatTime(difference.from),
        To: formatTime(difference.to),
        Commands: [...commands],
      } satisfies JournalDifference);
    }),
  ];
}

function checkJournal(journal: JournalReader | undefined): JournalReader {
  if (journal) return journal;
  throw new NetyardError('conflict', 'this daemon keeps no journal', {
    hint: 'start it with a --journal-size greater than 0, on a data root that can be written',
  });
}

function encodeLine({ time, kind, object, text, commands, names }: JournalLine): string {
  const entry: JournalEntry = {
    Time: formatTime(time),
    Kind: kind,
    Object: object,
    Text: text,
    Commands: [...commands],
    Names: [...names],
  };
  return `${JSON.stringify(entry)}\n`;
}
