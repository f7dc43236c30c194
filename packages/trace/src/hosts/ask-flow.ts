/** The conversation about one flow, on the host that asks: see `serve-flow.ts`. Nothing that the peer says is used unchecked. */
import type { Duplex } from 'node:stream';
import { NetyardError } from '@netyard/core';
import type { FlowEvidence, ProbeResult, TracePacket } from '../model.ts';
import type { FlowSession, PeerView } from '../tools.ts';
import { parseAnswer } from './flow-schema.ts';
import { readJsonLines, writeJsonLine } from './lines.ts';

/** For one answer: the peer lists its namespaces, or asks its neighbours. */
const answerMs = 5000;
/** A topology of one host with 256 containers has some 2 MiB. */
const maxAnswer = 16 << 20;

/** Takes the stream. Throws `unavailable` when there is no answer in time, and `failed` for one that is none. */
export async function askFlow(stream: Duplex): Promise<FlowSession> {
  const lines = readJsonLines(stream, maxAnswer);
  // Reading reports the error.
  stream.on('error', () => undefined);
  try {
    const { view } = await nextAnswer(stream, lines);
    if (view === undefined) throw unexpected();
    return new AskedFlow(stream, lines, view);
  } catch (error) {
    stream.destroy();
    throw error;
  }
}

class AskedFlow implements FlowSession {
  readonly view: PeerView;
  readonly #stream: Duplex;
  readonly #lines: AsyncGenerator<unknown>;

  constructor(stream: Duplex, lines: AsyncGenerator<unknown>, view: PeerView) {
    this.#stream = stream;
    this.#lines = lines;
    this.view = view;
  }

  async watch(packet: TracePacket): Promise<boolean> {
    writeJsonLine(this.#stream, { watch: packet });
    const { armed } = await nextAnswer(this.#stream, this.#lines);
    if (armed === undefined) throw unexpected();
    return armed;
  }

  async arm(packet: TracePacket): Promise<void> {
    writeJsonLine(this.#stream, { arm: packet });
    const { armed } = await nextAnswer(this.#stream, this.#lines);
    if (armed !== true) throw unexpected();
  }

  async collect({ outcome }: Pick<ProbeResult, 'outcome'>): Promise<FlowEvidence> {
    writeJsonLine(this.#stream, { collect: { outcome } });
    const { evidence } = await nextAnswer(this.#stream, this.#lines);
    if (evidence === undefined) throw unexpected();
    return evidence;
  }

  close(): void {
    this.#stream.destroy();
  }
}

async function nextAnswer(
  stream: Duplex,
  lines: AsyncGenerator<unknown>,
): Promise<Omit<ReturnType<typeof parseAnswer>, 'error'>> {
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    stream.destroy();
  }, answerMs);
  try {
    const { value, done } = await lines.next();
    if (done) throw new Error('it ended the connection');
    const { error, ...answer } = parseAnswer(value);
    if (error !== undefined) throw new NetyardError('failed', error.message, error.hint ? { hint: error.hint } : {});
    return answer;
  } catch (error) {
    if (isLate) throw new NetyardError('unavailable', `no answer within ${answerMs / 1000} s`, { cause: error });
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

const unexpected = (): NetyardError => new NetyardError('failed', 'its answer is none to the question');
