/**
 * The conversation about one flow, on the peer, over a connection to the host that asks: `{view}` at once, `{armed}` for
 * `{arm: PACKET}`, `{evidence}` for `{collect: {outcome}}`, or `{error}`. The flow ends with the connection, and at the latest
 * after some seconds.
 */
import type { Readable, Writable } from 'node:stream';
import { isNetyardError, messageOf } from '@netyard/core';
import type { FlowSession } from '../tools.ts';
import { parseQuestion } from './flow-schema.ts';
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
    for await (const question of readJsonLines(input, maxQuestion)) {
      const answer = await answerTo(session, question);
      writeJsonLine(output, answer);
      if (!('armed' in answer)) return;
    }
  } catch (error) {
    // The host that asked is gone, or was too slow: it reads no answer.
    if (!input.destroyed) writeJsonLine(output, failure(error));
  } finally {
    clearTimeout(timer);
    session.close();
  }
}

async function answerTo(session: FlowSession, question: unknown): Promise<object> {
  try {
    const { arm, collect } = parseQuestion(question);
    if (arm !== undefined) {
      await session.arm(arm);
      return { armed: true };
    }
    return { evidence: await session.collect(collect) };
  } catch (error) {
    return failure(error);
  }
}

const failure = (error: unknown): object => ({
  error: { message: messageOf(error), ...(isNetyardError(error) && error.hint ? { hint: error.hint } : {}) },
});
