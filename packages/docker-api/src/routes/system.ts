/** Docker's routes for the daemon itself. */
import { NetyardError, systemClock } from '@netyard/core';
import { sendJson } from '../http/json-answer.ts';
import { pump } from '../http/pump.ts';
import { readBoolean, readFilters, readTimestamp } from '../http/query.ts';
import { type Handler, type Route, route } from '../http/router.ts';
import type { ApiOptions } from '../options.ts';
import { diskUsageKinds, translateDiskUsage } from '../translate/disk-usage.ts';
import { encodeEvent } from '../translate/event.ts';
import { translateInfo, translateVersion } from '../translate/info.ts';
import { type ApiVersion, speaks } from '../versions.ts';

/** Builder-Version 1 keeps the docker CLI from using BuildKit, which Netyard does not have. */
const pingHeaders = {
  'Builder-Version': '1',
  'Cache-Control': 'no-cache, no-store, must-revalidate',
  Pragma: 'no-cache',
  Swarm: 'inactive',
  'Content-Type': 'text/plain; charset=utf-8',
};

export function systemRoutes(options: ApiOptions): Route[] {
  const { engine, info } = options;
  return [
    route('GET', '/_ping', ({ answer }) => answer.send(200, pingHeaders, 'OK')),
    route('HEAD', '/_ping', ({ answer }) => answer.send(200, pingHeaders, '')),
    route('GET', '/version', async (exchange) => {
      sendJson(exchange, 200, translateVersion(info, await engine.system.info()));
    }),
    route('GET', '/info', async (exchange) => {
      sendJson(exchange, 200, translateInfo(info, await engine.system.info(), systemClock.now()));
    }),
    route('GET', '/events', events(options)),
    route('GET', '/system/df', diskUsage(options)),
  ];
}

function events({ engine }: ApiOptions): Handler {
  return async ({ query, answer, signal, version, request }) => {
    const since = readTimestamp(query, 'since');
    const until = readTimestamp(query, 'until');
    if (since !== undefined && until !== undefined && since > until)
      throw new NetyardError(
        'invalid',
        `\`since\` time (${query.get('since')}) cannot be after \`until\` time (${query.get('until')})`,
      );
    const source = engine.events.subscribe({
      since,
      until,
      filters: readFilters(query),
      signal,
    });
    const type = eventsType(request.headers.accept ?? '', version);
    const sink = answer.open(200, { 'Content-Type': type });
    const start = type === 'application/json-seq' ? recordSeparator : '';
    await pump(source, sink, (event) => start + encodeEvent(event, version), signal);
    sink.end();
  };
}

/** RFC 7464: precedes each text of application/json-seq. */
const recordSeparator = '\x1e';

/** The first known type that the client names; by default the one that Docker has always used, or since 1.52 the right one. */
function eventsType(accept: string, version: ApiVersion): string {
  const named = accept.split(',').map((one) => one.split(';')[0]?.trim().toLowerCase() ?? '');
  const known = ['application/json', 'application/jsonl', 'application/x-ndjson', 'application/json-seq'];
  const found = named.find((one) => known.includes(one));
  return found ?? (speaks(version, 52) ? 'application/jsonl' : 'application/json');
}

function diskUsage({ engine }: ApiOptions): Handler {
  return async (exchange) => {
    const { query, version } = exchange;
    const asked = query.getAll('type');
    const unknown = asked.find((kind) => !diskUsageKinds.some((known) => known === kind));
    if (unknown !== undefined) throw new NetyardError('invalid', `unknown object type: ${unknown}`);
    const wants = (kind: (typeof diskUsageKinds)[number]): boolean => asked.length === 0 || asked.includes(kind);
    const usage = await engine.system.diskUsage();
    sendJson(exchange, 200, translateDiskUsage(usage, wants, { version, verbose: readBoolean(query, 'verbose') }));
  };
}
