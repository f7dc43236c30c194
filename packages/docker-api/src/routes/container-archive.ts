/** Docker's routes for a container's files: `docker cp` and `docker export`. */
import { pipeline } from 'node:stream/promises';
import { NetyardError } from '@netyard/core';
import { readBoolean } from '../http/query.ts';
import { uploadOf } from '../http/request-body.ts';
import type { RequestContext } from '../http/request-context.ts';
import { sendEmpty } from '../http/request-context.ts';
import { type Handler, type Route, route } from '../http/router.ts';
import type { ApiOptions } from '../options.ts';
import { encodePathStat } from '../translate/path-stat.ts';
import { reference } from './reference.ts';

const statHeader = 'X-Docker-Container-Path-Stat';

export function containerArchiveRoutes(options: ApiOptions): Route[] {
  const { containers } = options.engine;
  return [
    route('HEAD', '/containers/:id/archive', async (exchange) => {
      const stat = await containers.statPath(reference(exchange, 'id'), readPath(exchange));
      exchange.answer.send(200, { [statHeader]: encodePathStat(stat) }, '');
    }),
    route('GET', '/containers/:id/archive', async (exchange) => {
      const { stat, stream } = await containers.readArchive(reference(exchange, 'id'), readPath(exchange));
      await sendTar(exchange, stream, { [statHeader]: encodePathStat(stat) });
    }),
    route('PUT', '/containers/:id/archive', write(options)),
    route('GET', '/containers/:id/export', async (exchange) => {
      await sendTar(exchange, await containers.export(reference(exchange, 'id')), {
        'Content-Type': 'application/octet-stream',
      });
    }),
  ];
}

function readPath({ query }: RequestContext): string {
  const path = query.get('path') ?? '';
  if (path === '') throw new NetyardError('invalid', 'bad parameter: "path" cannot be empty');
  return path;
}

/**
 * An error in the stream breaks the connection, so that the client does not mistake half an archive for a whole one. The
 * pipeline ends the response before it rejects, so afterwards the error would look like that of a lost client.
 */
export async function sendTar(
  { answer, signal, logBrokenOff }: RequestContext,
  stream: NodeJS.ReadableStream,
  headers: Readonly<Record<string, string>>,
): Promise<void> {
  stream.once('error', (error) => {
    if (!signal.aborted) logBrokenOff(error);
  });
  await pipeline(stream, answer.open(200, { 'Content-Type': 'application/x-tar', ...headers }), { signal });
}

function write({ engine }: ApiOptions): Handler {
  return async (exchange) => {
    const { query, request } = exchange;
    await engine.containers.writeArchive(reference(exchange, 'id'), readPath(exchange), uploadOf(request), {
      noOverwriteDirNonDir: readBoolean(query, 'noOverwriteDirNonDir'),
      copyUidGid: readBoolean(query, 'copyUIDGID'),
    });
    sendEmpty(exchange, 200);
  };
}
