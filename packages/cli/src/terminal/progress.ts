/** Prints progress of pull, push, load and import: updated lines on a terminal, otherwise plain lines. */
import type { JSONMessage } from '@netyard/api-types';
import { NetyardError } from '@netyard/core';
import { escapeControls } from '../format/escape.ts';
import { humanSize } from '../format/human.ts';
import type { Output } from '../program/context.ts';

/** Prints until the stream ends; throws its error, if any. `onAux` receives the auxiliary data. */
export async function showProgress(
  messages: AsyncIterable<JSONMessage>,
  output: Output,
  onAux: (aux: Record<string, unknown>) => void = () => undefined,
): Promise<void> {
  const screen = output.isTTY ? new Screen(output) : undefined;
  for await (const message of messages) {
    if (message.error !== undefined || message.errorDetail) {
      throw new NetyardError('failed', message.errorDetail?.message ?? message.error ?? 'unknown error');
    }
    if (message.aux) {
      onAux(message.aux);
      continue;
    }
    if (screen) screen.show(message);
    else output.write(plainLine(message));
  }
}

/** Without a terminal bars are omitted: they would fill a log. */
export function plainLine(message: JSONMessage): string {
  if (message.stream !== undefined) return message.stream;
  if (message.progressDetail?.current !== undefined && message.progressDetail.current > 0) return '';
  return `${message.id ? `${message.id}: ` : ''}${message.status ?? ''}\n`;
}

/** One line per id, rewritten in place. */
class Screen {
  readonly #output: Output;
  readonly #lines = new Map<string, number>();

  constructor(output: Output) {
    this.#output = output;
  }

  show(message: JSONMessage): void {
    if (message.id === undefined || message.id === '') {
      this.#lines.clear();
      this.#output.write(escapeControls(plainLine(message)));
      return;
    }
    let line = this.#lines.get(message.id);
    if (line === undefined) {
      line = this.#lines.size;
      this.#lines.set(message.id, line);
      this.#output.write('\n');
    }
    const up = this.#lines.size - line;
    const title = `${message.id}: ${message.status ?? ''}`.replaceAll('\n', ' ');
    const text = `${escapeControls(title)} ${bar(message, this.#output.columns ?? 80)}`.trimEnd();
    this.#output.write(`\x1b[${up}A\x1b[2K\r${text}\r\x1b[${up}B`);
  }
}

/** `[=====>     ]  1.2MB/3.4MB`; the bar needs more than 110 columns. Pure. */
export function bar({ progressDetail }: JSONMessage, columns: number): string {
  const current = progressDetail?.current ?? 0;
  const total = progressDetail?.total ?? 0;
  if (current <= 0 && total <= 0) return '';
  if (total <= 0 || current > total) return humanSize(current).padStart(8);
  const filled = Math.min(50, Math.trunc(Math.trunc((current / total) * 100) / 2));
  const drawing = columns > 110 ? `[${'='.repeat(filled)}>${' '.repeat(50 - filled)}] ` : '';
  return `${drawing}${humanSize(current).padStart(8)}/${humanSize(total)}`;
}
