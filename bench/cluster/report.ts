/** What the samples say: a table, as the other parts have it. Pure. */
import { type Comparison, formatComparison, formatTable, type Samples } from '../measure.ts';

/** The same beside a few other hosts and beside many, in milliseconds. */
export interface BesideBoth {
  few: Samples;
  many: Samples;
}

export interface ClusterSamples {
  /** How many others there are, few and many. */
  few: number;
  many: number;
  /** From writing them all until the last one's route is there. */
  all: Samples;
  /** From the same until etcd has answered to all that was written. */
  allWritten: Samples;
  /** The same hosts' objects handed to the kernel box alone. */
  allAlone: Samples;
  /** Their routes by one `ip -batch`. */
  batch: Samples;
  join: BesideBoth;
  leave: BesideBoth;
  joinAlone: BesideBoth;
  leaveAlone: BesideBoth;
  /** From writing a key of nobody's until a watch tells of it. */
  etcd: Samples;
  /** Of the daemon, in MiB, before there is any other host and with all of them. */
  memory: { before: number; after: number };
}

/** What is flat on paper is seldom exactly 1 on a machine that does other things as well. */
const flat = 1.2;

export function formatCluster(samples: ClusterSamples): string {
  const { few, many, memory } = samples;
  const each = ((memory.after - memory.before) * 1024) / many;
  return [
    `One daemon beside ${many} hosts of a cluster: medians (90th percentile in brackets); ratio = first / beside.\n`,
    formatTable(rowsOf(samples).map(formatComparison)),
    '',
    `Memory of the daemon (PSS): ${memory.before.toFixed(1)} MiB alone, ${memory.after.toFixed(1)} MiB with ${many} ` +
      `hosts: ${each.toFixed(1)} KiB for each. Few others: ${few}.`,
  ].join('\n');
}

function rowsOf(samples: ClusterSamples): Comparison[] {
  const { few, many, all, allWritten, allAlone, batch, join, leave, joinAlone, leaveAlone, etcd } = samples;
  const ms = { unit: 'ms', wanted: undefined } as const;
  const beside = (name: string, both: BesideBoth, wanted?: number): Comparison => ({
    ...{ name, ours: both.many, theirs: both.few, unit: 'ms', wanted },
    ...{ oursName: `of ${many}`, theirsName: `of ${few}` },
  });
  return [
    { name: `${many} hosts at once`, ours: all, theirs: batch, oursName: 'netyard', theirsName: 'ip -batch', ...ms },
    {
      name: `${many} hosts at once`,
      ours: all,
      theirs: allAlone,
      oursName: 'netyard',
      theirsName: 'kernel box',
      ...ms,
    },
    {
      name: `${many} hosts at once`,
      ours: all,
      theirs: allWritten,
      oursName: 'netyard',
      theirsName: 'etcd has them',
      ...ms,
    },
    beside('one host joins', join, flat),
    beside('one host leaves', leave, flat),
    beside('  kernel box alone: joins', joinAlone),
    beside('  kernel box alone: leaves', leaveAlone),
    { name: 'one host joins', ours: join.many, theirs: etcd, oursName: `of ${many}`, theirsName: 'etcd alone', ...ms },
  ];
}
