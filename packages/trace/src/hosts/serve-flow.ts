/**
 * The conversation about one flow, on the peer, over a connection to the host that asks: `{view}` at once, `{armed}` for
 * `{watch: PACKET}` and for `{arm: PACKET}`, `{evidence}` for `{collect: {outcome}}`, or `{error}`. The flow ends with the
 * evidence of what was armed, with the connection, and at the latest after some seconds.
 */
import type { Readable, Writable } from 'node:stream';
import { isNetyardError, messageOf } from '@netyard/core';
import type { FlowSession } from '../tools.ts';
import { type FlowAnswer, parseQuestion } from './flow-schema.ts';
import { readJsonLines, writeJsonLine } from './lines.ts';

/** Longer than any probe is waited for. */
const longestMs = 10_000;
const maxQuestion = 4096;

/** Closes the session. */
export async function serveFlow(
  session: FlowSession,
  { input, output }: { input: Readable; output: Writable },
): Promise<void> {
  const timer = setTimeout(() => input.destroy(), longestMs);
  try {
    writeJsonLine(output, { view: session.view });
    let isLast = false;
    for await (const line of readJsonLines(input, maxQuestion)) {
      const { question, answer } = await answerTo(session, line);
      writeJsonLine(output, answer);
      if ('error' in answer || ('evidence' in answer && isLast)) return;
      isLast = question === 'arm';
    }
  } catch (error) {
    // The host that asked is gone, or was too slow: it reads no answer.
    if (!input.destroyed) writeJsonLine(output, failure(error));
  } finally {
    clearTimeout(timer);
    session.close();
  }
}

async function answerTo(
  session: FlowSession,
  line: unknown,
): Promise<{ question?: 'watch' | 'arm' | 'collect'; answer: FlowAnswer }> {
  try {
    const asked = parseQuestion(line);
    if ('watch' in asked) return { question: 'watch', answer: { armed: await session.watch(asked.watch) } };
    if ('collect' in asked) return { question: 'collect', answer: { evidence: await session.collect(asked.collect) } };
    await session.arm(asked.arm);
    return { question: 'arm', answer: { armed: true } };
  } catch (error) {
    return { answer: failure(error) };
  }
}

const failure = (error: unknown): FlowAnswer => ({
  error: { message: messageOf(error), ...(isNetyardError(error) && error.hint ? { hint: error.hint } : {}) },
});
