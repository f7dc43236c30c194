/** Traces for the page: what a request asks becomes the words of `netyard trace`, and its report what the page draws. Pure. */
import { NetyardError } from '@netyard/core';
import type { TraceAnswer, TraceRequest } from '@netyard/page';
import type { TraceReport, TraceStep } from '@netyard/trace';

/** Steps beyond this are left out. */
const maximumSteps = 500;

/** The arguments FROM and TO of `netyard trace`. */
export function planTraceArguments({ from, to, port, protocol }: TraceRequest): [from: string, to: string] {
  if (protocol === 'icmp') return [from, `${to}/icmp`];
  const name = to.includes(':') ? `[${to}]` : to;
  return [from, `${name}:${port}/${protocol}`];
}

/** @param text JSON of a report */
export function parseTraceReport(text: string): TraceAnswer {
  const { steps, answer, conclusion, incomplete, hostName } = parseReport(text);
  const { outcome, cause, sentence, fix, grade } = conclusion;
  return {
    ...{ hostName, outcome, cause, sentence, grade, incomplete: incomplete.slice(0, maximumSteps) },
    ...(fix === undefined ? {} : { fix }),
    steps: steps.slice(0, maximumSteps).map(translateStep),
    answer: answer.slice(0, maximumSteps).map(translateStep),
  };
}

function parseReport(text: string): TraceReport {
  try {
    return JSON.parse(text) as TraceReport;
  } catch (error) {
    throw new NetyardError('failed', 'netyard trace printed no report', { cause: error });
  }
}

const translateStep = ({
  host,
  place,
  kind,
  name,
  direction,
  state,
  atMs,
}: TraceStep): TraceAnswer['steps'][number] => ({
  ...{ place, kind, name, state },
  ...(host === undefined ? {} : { host }),
  ...(direction === undefined ? {} : { direction }),
  ...(atMs === undefined ? {} : { atMs }),
});
