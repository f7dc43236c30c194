/** The tables of the page benchmark. Pure. */
import { formatColumns, type Samples, summarize } from '../measure.ts';
import type { FrameSample, ThreadTime } from './frames.ts';

/** One view of the page, or an empty page. */
export interface FrameRow {
  name: string;
  rounds: readonly FrameSample[];
}

export interface PictureRow {
  name: string;
  /** Milliseconds from the data until it is drawn. */
  fromData: Samples;
  /** Milliseconds from the start of the navigation. */
  fromStart: Samples;
}

export interface DaemonCost {
  containers: number;
  tabs: number;
  /** Percent of one core, per round. */
  alone: Samples;
  watched: Samples;
}

const limits = { frame: 50, picture: 1_000, daemon: 2 } as const;
const reached = (holds: boolean): string => (holds ? 'yes' : 'NO');
const figure = (value: number): string => value.toFixed(1);

const frameHead = ['view', 'interval', 'p99', 'max', 'over 50 ms', 'longest work', 'frames', 'reached'];
const threadHead = ['main thread, ms per second', 'all', 'script', 'style', 'layout', 'paint and other', 'to empty'];

/** @param rows the first one is an empty page, and the others are compared with it */
export function formatFrames(rows: readonly FrameRow[]): string {
  const [empty] = rows;
  if (empty === undefined) return '';
  return [
    formatColumns([frameHead, ...rows.map(frameLine)]),
    '',
    formatColumns([threadHead, ...rows.map((row) => threadLine(row, empty))]),
  ].join('\n');
}

function frameLine({ name, rounds }: FrameRow): string[] {
  const intervals = rounds.flatMap((round) => round.intervals).sort((one, other) => one - other);
  const longFrames = rounds.flatMap((round) => round.longFrames);
  const at = (share: number): number =>
    intervals[Math.min(intervals.length - 1, Math.floor(intervals.length * share))] ?? Number.NaN;
  const [longest] = [...longFrames].sort((one, other) => other - one);
  return [
    name,
    ...[at(0.5), at(0.99), at(1)].map(figure),
    String(intervals.filter((interval) => interval > limits.frame).length),
    longest === undefined ? '≤ 50' : figure(longest),
    String(intervals.length),
    reached(longest === undefined),
  ];
}

const threadOf = (rounds: readonly FrameSample[], of: (thread: ThreadTime) => number): number =>
  summarize(rounds.map(({ thread }) => of(thread))).median;

function threadLine({ name, rounds }: FrameRow, empty: FrameRow): string[] {
  const all = threadOf(rounds, ({ task }) => task);
  const parts = [
    all,
    threadOf(rounds, ({ script }) => script),
    threadOf(rounds, ({ style }) => style),
    threadOf(rounds, ({ layout }) => layout),
    threadOf(rounds, ({ task, script, style, layout }) => task - script - style - layout),
  ];
  return [name, ...parts.map(figure), `${(all / threadOf(empty.rounds, ({ task }) => task)).toFixed(2)}`];
}

const pictureHead = ['first picture, ms', 'from the data', 'p90', 'from the start', 'target', 'reached', 'n'];

export function formatPictures(rows: readonly PictureRow[]): string {
  const lines = rows.map(({ name, fromData, fromStart }) => {
    const [data, start] = [summarize(fromData), summarize(fromStart)];
    const target = `≤ ${limits.picture} from the data`;
    const holds = reached(data.p90 <= limits.picture);
    return [name, figure(data.median), figure(data.p90), figure(start.median), target, holds, String(data.count)];
  });
  return formatColumns([pictureHead, ...lines]);
}

export function formatDaemon({ containers, tabs, alone, watched }: DaemonCost): string {
  const [before, after] = [summarize(alone).median, summarize(watched).median];
  const share = (value: number): string => `${value.toFixed(2)} %`;
  return [
    `The daemon of a host with ${containers} containers that ping, in percent of one core (medians of ${alone.length}):`,
    `${share(before)} without pages, ${share(after)} with ${tabs}: ${share(after - before)} for the pages; target ` +
      `≤ ${limits.daemon} %, reached: ${reached(after - before <= limits.daemon)}`,
  ].join('\n');
}
