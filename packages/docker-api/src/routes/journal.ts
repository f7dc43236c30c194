/** Netyard's own route for the journal: network changes and repairs, one JSON object per line. */
import type { JournalEntry } from '@netyard/api-types';
import { formatTime, NetyardError } from '@netyard/core';
import { pump } from '../http/pump.ts';
import { readTimestamp } from '../http/query.ts';
import { type Route, route } from '../http/router.ts';
import type { ApiOptions, JournalLine } from '../options.ts';

export function journalRoutes({ journal }: ApiOptions): Route[] {
  return [
    route('GET', '/netyard/v1/journal', async ({ query, answer, signal }) => {
      const [since, until] = [readTimestamp(query, 'since'), readTimestamp(query, 'until')];
      if (!journal)
        throw new NetyardError('conflict', 'this daemon keeps no journal', {
          hint: 'start it with a --journal-size greater than 0, on a data root that can be written',
        });
      const target = query.get('target') || undefined;
      const sink = answer.open(200, { 'Content-Type': 'application/x-ndjson' });
      await pump(journal.read({ target, since, until }), sink, encodeLine, signal);
      sink.end();
    }),
  ];
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
