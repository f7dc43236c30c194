/** Docker's routes for further processes in a running container. */
import { isNetyardError, messageOf } from '@netyard/core';
import { readJson, readOptionalJson } from '../http/body.ts';
import { type Exchange, sendEmpty, sendJson } from '../http/exchange.ts';
import { readInteger } from '../http/query.ts';
import { type Handler, type Route, route } from '../http/router.ts';
import type { ApiOptions } from '../options.ts';
import { execCreateSchema, execStartSchema } from '../schemas/container.ts';
import { closeGently, serveAttachment } from '../stream/hijack.ts';
import { encodeFrame } from '../stream/stdcopy.ts';
import { translateExecCreate, translateExecInspect } from '../translate/exec.ts';
import { streamType } from './container-streams.ts';
import { reference } from './reference.ts';

export function execRoutes(options: ApiOptions): Route[] {
  const { exec } = options.engine;
  return [
    route('POST', '/containers/:id/exec', async (exchange) => {
      const body = await readJson(exchange.request, execCreateSchema);
      const { id } = await exec.create(reference(exchange, 'id'), translateExecCreate(body));
      sendJson(exchange, 201, { Id: id });
    }),
    route('POST', '/exec/:id/start', start(options)),
    route('POST', '/exec/:id/resize', async (exchange) => {
      const { query } = exchange;
      await exec.resize(reference(exchange, 'id'), readInteger(query, 'h') ?? 0, readInteger(query, 'w') ?? 0);
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
    const body = await readOptionalJson(request, execStartSchema);
    const size = body.ConsoleSize;
    const options = {
      detach: body.Detach,
      tty: body.Tty,
      ...(size && size[0] > 0 && size[1] > 0 ? { consoleSize: size } : {}),
      signal,
    };
    try {
      const attachment = await engine.exec.start(id, options);
      if (!attachment) return sendEmpty(exchange, 200);
      await serveAttachment(answer.hijack(streamType(exchange, attachment.tty)), attachment, signal);
    } catch (error) {
      if (body.Detach || answer.started || !isFailedCommand(error)) throw error;
      tellFailedCommand(exchange, error, body.Tty);
    }
  };
}

/** The command itself could not be run; not so an exec that is not there or ran already. */
const isFailedCommand = (error: unknown): boolean => isNetyardError(error, 'invalid');

/**
 * As Docker does, the client gets its stream, the message in it, and finds the exit code (126 or 127) by inspecting.
 */
function tellFailedCommand(exchange: Exchange, error: unknown, tty: boolean): void {
  const connection = exchange.answer.hijack(streamType(exchange, tty));
  const data = Buffer.from(`${messageOf(error)}\r\n`);
  connection.output.write(tty ? data : encodeFrame({ stream: 'stdout', data }));
  closeGently(connection);
}
