/** Docker's routes for the daemon itself. */
import { systemClock } from '@netyard/core';
import { sendJson } from '../http/json-answer.ts';
import { LazyList } from '../http/json-pieces.ts';
import { pump } from '../http/pump.ts';
import { readFilters, readTimestamp } from '../http/query.ts';
import { type Handler, type Route, route } from '../http/router.ts';
import type { ApiOptions } from '../options.ts';
import { translateContainerSummary } from '../translate/container-summary.ts';
import { encodeEvent } from '../translate/event.ts';
import { translateImageSummary } from '../translate/image.ts';
import { translateInfo, translateVersion } from '../translate/info.ts';
import { translateVolume } from '../translate/volume.ts';

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
  return async ({ query, answer, signal }) => {
    const source = engine.events.subscribe({
      since: readTimestamp(query, 'since'),
      until: readTimestamp(query, 'until'),
      filters: readFilters(query),
      signal,
    });
    const sink = answer.open(200, { 'Content-Type': 'application/json' });
    await pump(source, sink, encodeEvent, signal);
    sink.end();
  };
}

const kinds = ['container', 'image', 'volume', 'build-cache'] as const;

function diskUsage({ engine }: ApiOptions): Handler {
  return async (exchange) => {
    const asked = exchange.query.getAll('type');
    const wants = (kind: (typeof kinds)[number]): boolean => asked.length === 0 || asked.includes(kind);
    const usage = await engine.system.diskUsage();
    sendJson(exchange, 200, {
      LayersSize: usage.layersSize,
      Images: wants('image')
        ? new LazyList(usage.images, (each) => translateImageSummary(each, exchange.version))
        : null,
      Containers: wants('container') ? new LazyList(usage.containers, translateContainerSummary) : null,
      Volumes: wants('volume')
        ? new LazyList(usage.volumes, ({ record, size, references }) => ({
            ...translateVolume(record),
            UsageData: { Size: size, RefCount: references },
          }))
        : null,
      BuildCache: wants('build-cache') ? [] : null,
    });
  };
}
