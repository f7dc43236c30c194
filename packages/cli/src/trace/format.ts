/** The text of a trace: the hops, then one sentence and what fixes it. Pure. */

import type { TraceReport, TraceStep } from '@netyard/trace';
import { oneLine } from '../format/escape.ts';

const times = (step: TraceStep): string => (step.atMs === undefined ? '' : step.atMs.toFixed(2));

const marks: Readonly<Record<TraceStep['state'], string>> = {
  ...{ seen: '', predicted: 'predicted', missing: 'not seen', dropped: '<-- dropped here' },
};

/** Of a target that answered the first probe. */
const unobserved = {
  packets: 'Rules were not traced, because the target answered; --full traces them.',
  answer:
    'Nothing but the answer was observed: this kernel does not show packets at little cost; --full shows them, and rules.',
} as const;

export function formatTrace(report: TraceReport): string[] {
  const { packet, from, to, conclusion, steps, answer, incomplete, observed } = report;
  const lines = [
    `${from} -> ${to}: ${packetText(packet)}`,
    ...(steps.length === 0 ? [] : ['', ...table(steps)]),
    ...(answer.length === 0 ? [] : ['', 'Answer:', ...table(answer)]),
    ...(observed === undefined || observed === 'rules' ? [] : ['', unobserved[observed]]),
    '',
    conclusion.sentence,
  ];
  const place = conclusion.host === undefined ? '' : ` on ${conclusion.host}`;
  if (conclusion.fix !== undefined) lines.push(`Fix${place}: ${conclusion.fix}`);
  if (conclusion.grade !== 'observed') lines.push(`(${conclusion.grade}, not observed)`);
  return [...lines, ...incomplete.map((problem) => `Not observed: ${problem}`)].map(oneLine);
}

function packetText({ protocol, source, sourcePort, destination, destinationPort }: TraceReport['packet']): string {
  const end = (address: string, port: number | undefined): string => {
    if (port === undefined) return address;
    return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  };
  // For icmp it is the identifier of the echo request.
  const port = protocol === 'icmp' ? undefined : sourcePort;
  const origin = source === undefined ? '' : `${end(source, port)} -> `;
  return `${protocol} ${origin}${end(destination, destinationPort)}`;
}

function table(steps: readonly TraceStep[]): string[] {
  const rows = steps.map((step) => [times(step), step.place, describe(step), marks[step.state]]);
  const widths = [0, 1, 2].map((column) => Math.max(0, ...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map(([time = '', place = '', what = '', mark = '']) =>
    `  ${time.padStart(widths[0] ?? 0)}  ${place.padEnd(widths[1] ?? 0)}  ${mark === '' ? what : `${what.padEnd(widths[2] ?? 0)}  ${mark}`}`.trimEnd(),
  );
}

function describe({ kind, name, direction, packet }: TraceStep): string {
  if (kind === 'link') return `${direction === 'out' ? 'out' : 'in '} ${name}`;
  if (kind === 'translation') return `${name} -> ${packet?.destination}:${packet?.destinationPort}`;
  return kind === 'route' ? `route ${name}` : `${kind} ${name}`;
}
