/** `events`: streams events of the daemon. */
import type { ExactEvent } from '@netyard/client';
import { isNetyardError } from '@netyard/core';
import { filterFlag, parseFilters } from '../options/filters.ts';
import { timestampOf } from '../options/timestamp.ts';
import type { CommandSpec } from '../program/spec.ts';
import { compileTemplate } from '../template/evaluate.ts';

export const events: CommandSpec = {
  usage: '[OPTIONS]',
  args: [0, 0],
  flags: [
    filterFlag,
    { name: 'format', type: 'string', help: "Format output using a custom template: 'json' or a Go template" },
    { name: 'since', type: 'string', help: 'Show all events created since timestamp' },
    { name: 'until', type: 'string', help: 'Stream events until this timestamp' },
  ],
  examples: ['netyard events', 'netyard events --since 10m --until 0s --filter type=network'],
  run: async (context, { flags }) => {
    const format = flags.text('format');
    const render = format === '' ? prettyEvent : templateOf(format === 'json' ? '{{json .}}' : format);
    const stop = new AbortController();
    const onSignal = (): void => stop.abort();
    process.once('SIGINT', onSignal);
    const stream = context.client().system.events({
      since: timestampOf(flags.text('since'), context.clock),
      until: timestampOf(flags.text('until'), context.clock),
      filters: parseFilters(flags.list('filter')),
      signal: stop.signal,
    });
    try {
      for await (const event of stream) context.print(render(event));
    } catch (error) {
      if (!stop.signal.aborted || !(isNetyardError(error) || error instanceof Error)) throw error;
      return 130;
    } finally {
      process.off('SIGINT', onSignal);
    }
    return 0;
  },
};

/** `2026-11-23T20:31:07.123456789Z container start ID (image=x, name=y)`, in local time. */
export function prettyEvent({ event, nanoseconds }: ExactEvent): string {
  const attributes = Object.entries(event.Actor.Attributes ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`)
    .join(', ');
  const time = nanoseconds === 0n ? '' : `${localTime(nanoseconds)} `;
  return `${time}${event.Type} ${event.Action} ${event.Actor.ID}${attributes === '' ? '' : ` (${attributes})`}`;
}

function localTime(nanoseconds: bigint): string {
  const date = new Date(Number(nanoseconds / 1_000_000n));
  const offset = -date.getTimezoneOffset();
  const local = new Date(date.getTime() + offset * 60_000).toISOString().slice(0, 19);
  const two = (value: number): string => String(Math.trunc(value)).padStart(2, '0');
  const zone =
    offset === 0 ? 'Z' : `${offset < 0 ? '-' : '+'}${two(Math.abs(offset) / 60)}:${two(Math.abs(offset) % 60)}`;
  return `${local}.${(nanoseconds % 1_000_000_000n).toString().padStart(9, '0')}${zone}`;
}

/** Missing in TypeScript's library: Node's JSON.rawJSON, for numbers of any length. */
const { rawJSON: rawJson } = JSON as unknown as { rawJSON(text: string): unknown };

/** Fields by Go's names; `json` returns the API's JSON. */
function templateOf(format: string): (event: ExactEvent) => string {
  const render = compileTemplate(format.replaceAll('\\t', '\t').replaceAll('\\n', '\n'));
  return ({ event, nanoseconds }) => {
    const fields = {
      Status: event.status ?? '',
      ID: event.id ?? '',
      From: event.from ?? '',
      Type: event.Type,
      Action: event.Action,
      Actor: event.Actor,
      Scope: event.scope,
      Time: event.time,
      TimeNano: nanoseconds.toString(),
    };
    const json = { ...event, timeNano: rawJson(nanoseconds.toString()) };
    return render(Object.defineProperty(fields, 'toJSON', { value: () => json }));
  };
}
