/** Docker's routes for exec: further processes in a running container. */
import { execCreate, execStart } from '@netyard/api-types';
import { messageOf } from '@netyard/core';
import { readJson, readOptionalJson } from '../http/body.ts';
import type { Connection } from '../http/connection.ts';
import { sendJson } from '../http/json-answer.ts';
import { readTerminalSize } from '../http/query.ts';
import { completion } from '../http/request-body.ts';
import { sendEmpty } from '../http/request-context.ts';
import { type Handler, type Route, route } from '../http/router.ts';
import type { ApiOptions } from '../options.ts';
import { acceptFields } from '../schemas/accept-fields.ts';
import { execCreateSchema, execStartSchema } from '../schemas/bodies.ts';
import { closeGracefully, serveAttachment } from '../stream/hijack.ts';
import { encodeFrame } from '../stream/stdcopy.ts';
import { translateExecCreate, translateExecInspect } from '../translate/exec.ts';
import { streamType } from './container-streams.ts';
import { reference } from './reference.ts';

export function execRoutes(options: ApiOptions): Route[] {
  const { exec } = options.engine;
  return [
    route('POST', '/containers/:id/exec', async (exchange) => {
      const given = await readJson(exchange.request, execCreateSchema);
      const { body } = acceptFields(execCreate, given, exchange.version);
      const { id } = await exec.create(reference(exchange, 'id'), translateExecCreate(body));
      sendJson(exchange, 201, { Id: id });
    }),
    route('POST', '/exec/:id/start', start(options)),
    route('POST', '/exec/:id/resize', async (exchange) => {
      const { rows, columns } = readTerminalSize(exchange.query);
      await exec.resize(reference(exchange, 'id'), rows, columns);
      sendEmpty(exchange, 200);
    }),
    route('GET', '/exec/:id/json', async (exchange) => {
      sendJson(exchange, 200, translateExecInspect(await exec.inspect(reference(exchange, 'id'))));
    }),
  ];
}

function start({ engine }: ApiOptions): Handler {
  return async (exchange) => {
    const { request, signal, answer } = exchange;
    const id = reference(exchange, 'id');
    const { body } = acceptFields(execStart, await readOptionalJson(request, execStartSchema), exchange.version);
    const size = body.ConsoleSize;
    const options = {
      detach: body.Detach,
      tty: body.Tty,
      ...(size && size[0] > 0 && size[1] > 0 ? { consoleSize: size } : {}),
      signal,
    };
    if (body.Detach) {
      await engine.exec.start(id, options);
      return sendEmpty(exchange, 200);
    }
    await engine.exec.checkStart(id);
    await completion(request);
    // The head is sent before the start: some clients lose output that arrives in the same read as the head.
    const connection = answer.hijack(streamType(exchange, body.Tty));
    try {
      const attachment = await engine.exec.start(id, options);
      if (attachment) await serveAttachment(connection, { ...attachment, tty: body.Tty }, signal);
    } catch (error) {
      writeFailure(connection, error, body.Tty);
    }
  };
}

/** As in Docker, the stream carries the message, and inspect has the exit code (126 or 127). */
function writeFailure(connection: Connection, error: unknown, tty: boolean): void {
  const data = Buffer.from(`${messageOf(error)}\r\n`);
  if (connection.output.writable) connection.output.write(tty ? data : encodeFrame({ stream: 'stdout', data }));
  closeGracefully(connection);
}
