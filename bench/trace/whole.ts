/**
 * What other traffic pays for a trace of a target that does not answer: all round trips from the start of the command to its
 * end, compared with those of the same time without it.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { execInHost } from '@netyard/lab';
import { output } from '../in-lab.ts';
import { medianInterval, summarize, timed } from '../measure.ts';
import type { Path } from '../traffic/path.ts';
import { type Followed, followDelays } from '../traffic/probe.ts';

/** Of no listener, and dropped by the rule. */
const droppedPort = '5999';

/** Targets that do not answer, and what is traced of them. */
const targets = {
  'rule drop': ({ address }: Path): string => `${address}:${droppedPort}`,
  // A trace waits for its neighbour for 3 s.
  'silent neighbour': (path: Path): string => `${silentAddress(path)}:80`,
} as const;
export type SilentTarget = keyof typeof targets;
export const silentTargets = Object.keys(targets) as SilentTarget[];

/** An address of the containers' network that no container has. */
const silentAddress = (path: Path): string => path.address.replace(/\.\d+$/, '.250');

export interface WholeTrace {
  during: Followed;
  without: Followed;
  /** Milliseconds of the command. */
  ms: number;
}

/** On the bridge between the containers. */
export async function addDrop({ client }: Path): Promise<void> {
  const chain = 'add chain bridge bench forward { type filter hook forward priority 0; }';
  const rule = `add rule bridge bench forward tcp dport ${droppedPort} drop`;
  await output(client.host, ['nft', `add table bridge bench; ${chain}; ${rule}`]);
}

/** `isFirst`: with the trace first. */
export async function measureWhole(
  path: Path,
  { netyard, target, isFirst }: { netyard: string; target: SilentTarget; isFirst: boolean },
): Promise<WholeTrace> {
  let ms = 1500;
  const during = (): Promise<Followed> =>
    followDelays(path, async () => {
      ms = await timed(() => traceUnanswered(path, [netyard, 'trace', '--json', 'one', targets[target](path)]));
    });
  const without = (): Promise<Followed> => followDelays(path, () => pause(ms));
  if (isFirst) return { during: await during(), without: await without(), ms };
  const before = await without();
  return { during: await during(), without: before, ms };
}

/** Throws when the target is reached, or nothing was traced. */
async function traceUnanswered({ client }: Path, command: readonly string[]): Promise<void> {
  const child = execInHost(client.host, command, { environment: process.env, folder: '/', stdio: 'ignore' });
  const status = await new Promise<number | null>((resolve, reject) =>
    child.once('error', reject).once('close', resolve),
  );
  if (status !== 1) throw new Error(`${command.join(' ')}: status ${status} instead of 1, not reached`);
}

const mostRatio = 1.02;

/** Rows of mean and median: ratio, its 95 % interval, target, reached. */
export function formatWhole(target: SilentTarget, measured: readonly WholeTrace[]): string[][] {
  const figure = (values: readonly number[]): string => summarize(values).median.toFixed(1);
  const time = (summarize(measured.map(({ ms }) => ms)).median / 1000).toFixed(1);
  return (['mean', 'median'] as const).map((metric) => {
    const [armed, idle] = (['during', 'without'] as const).map((when) => measured.map((one) => one[when][metric]));
    const ratios = measured.map(({ during, without }) => during[metric] / without[metric]);
    const { low, high } = medianInterval(ratios);
    const { median } = summarize(ratios);
    return [
      ...[`round trip, ${metric}`, `a whole trace, ${target}, ${time} s`, figure(armed ?? []), figure(idle ?? [])],
      ...[median.toFixed(3), `${low.toFixed(3)} – ${high.toFixed(3)}`],
      ...[`≤ ${mostRatio.toFixed(2)}`, median <= mostRatio ? 'yes' : 'NO'],
    ];
  });
}
