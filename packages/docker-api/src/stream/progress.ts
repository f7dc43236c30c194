/**
 * Streams the progress of pull, push, load and import as JSON lines. An error before the first line is an ordinary error
 * response; later the head has been sent, and the error becomes a line.
 */
import type { JSONMessage } from '@netyard/api-types';
import type { Progress } from '@netyard/engine';
import { errorBody } from '../errors.ts';
import { writePiece } from '../http/pump.ts';
import type { RequestContext } from '../http/request-context.ts';

const MEBI = 1024 * 1024;

export function translateProgress(progress: Progress): JSONMessage {
  const { id, status, current, total, stream, aux, error } = progress;
  const detail = { ...(current === undefined ? {} : { current }), ...(total === undefined ? {} : { total }) };
  return {
    ...(stream === undefined ? {} : { stream }),
    ...(status === undefined ? {} : { status }),
    ...(status === undefined ? {} : { progressDetail: detail }),
    ...(current === undefined ? {} : { progress: drawBar(current, total) }),
    ...(id === undefined ? {} : { id }),
    ...(aux === undefined ? {} : { aux }),
    ...(error === undefined ? {} : { errorDetail: error, error: error.message }),
  };
}

/** `[=====>     ]  1.5MB/3MB`, 50 wide, as Docker sends it for clients that do not draw bars. */
function drawBar(current: number, total: number | undefined): string {
  const amount = (bytes: number): string => `${(bytes / MEBI).toFixed(2)}MB`;
  if (total === undefined || total <= 0 || current > total) return amount(current);
  const filled = Math.floor((current / total) * 50);
  const bar = filled === 0 ? '>' : `${'='.repeat(filled - 1)}>`;
  return `[${bar.padEnd(50)}]  ${amount(current)}/${amount(total)}`;
}

/** @param options.alwaysOk an error before the first line becomes a line too, as in Docker's load */
export async function serveProgress(
  exchange: RequestContext,
  source: AsyncIterable<Progress>,
  options: { alwaysOk?: boolean } = {},
): Promise<void> {
  const iterator = source[Symbol.asyncIterator]();
  const first = iterator.next();
  await (options.alwaysOk ? first.catch(() => undefined) : first);
  const sink = exchange.answer.open(200, { 'Content-Type': 'application/json' });
  const line = (message: JSONMessage): Promise<boolean> =>
    writePiece(sink, `${JSON.stringify(message)}\r\n`, exchange.signal);
  try {
    let next = await first;
    while (!next.done) {
      if (!(await line(translateProgress(next.value)))) {
        await iterator.return?.();
        break;
      }
      next = await iterator.next();
    }
  } catch (error) {
    if (!exchange.signal.aborted) exchange.logError(error);
    const { message } = errorBody(error, exchange.request);
    await line({ errorDetail: { message }, error: message });
  }
  sink.end();
}
