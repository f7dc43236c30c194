/** The table of the cluster benchmark. Pure. */
import { type Comparison, formatComparison, formatTable, type Samples } from '../measure.ts';

/** The same operation with few and with many other hosts, in milliseconds. */
export interface FewAndMany {
  few: Samples;
  many: Samples;
}

export interface ClusterSamples {
  /** Number of other hosts. */
  few: number;
  many: number;
  /** From the first write until the last host's route exists. */
  all: Samples;
  /** From the first write until etcd has answered all writes. */
  allWritten: Samples;
  /** The same hosts' objects, created by the kernel package alone. */
  allAlone: Samples;
  /** Their routes, created by one `ip -batch`. */
  batch: Samples;
  join: FewAndMany;
  leave: FewAndMany;
  joinAlone: FewAndMany;
  leaveAlone: FewAndMany;
  /** From writing an unused key until a watch reports it. */
  etcd: Samples;
  /** Of the daemon, in MiB, without other hosts and with all of them. */
  memory: { before: number; after: number };
}

/** Allows for noise: an operation whose cost is independent of the number of hosts seldom measures exactly 1. */
const flat = 1.2;

export function formatCluster(samples: ClusterSamples): string {
  const { few, many, memory } = samples;
  const each = ((memory.after - memory.before) * 1024) / many;
  return [
    `One daemon in a cluster of ${many} hosts: medians (90th percentile in brackets); ratio = first / compared.\n`,
    formatTable(rowsOf(samples).map(formatComparison)),
    '',
    `Memory of the daemon (PSS): ${memory.before.toFixed(1)} MiB alone, ${memory.after.toFixed(1)} MiB with ${many} ` +
      `hosts: ${each.toFixed(1)} KiB for each. Few others: ${few}.`,
  ].join('\n');
}

function rowsOf(samples: ClusterSamples): Comparison[] {
  const { few, many, all, allWritten, allAlone, batch, join, leave, joinAlone, leaveAlone, etcd } = samples;
  const ms = { unit: 'ms', target: undefined } as const;
  const compared = (name: string, both: FewAndMany, target?: number): Comparison => ({
    ...{ name, ours: both.many, theirs: both.few, unit: 'ms', target },
    ...{ oursName: `of ${many}`, theirsName: `of ${few}` },
  });
  return [
    { name: `${many} hosts at once`, ours: all, theirs: batch, oursName: 'netyard', theirsName: 'ip -batch', ...ms },
    {
      name: `${many} hosts at once`,
      ours: all,
      theirs: allAlone,
      oursName: 'netyard',
      theirsName: 'kernel package',
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
    compared('one host joins', join, flat),
    compared('one host leaves', leave, flat),
    compared('  kernel package alone: joins', joinAlone),
    compared('  kernel package alone: leaves', leaveAlone),
    { name: 'one host joins', ours: join.many, theirs: etcd, oursName: `of ${many}`, theirsName: 'etcd alone', ...ms },
  ];
}
