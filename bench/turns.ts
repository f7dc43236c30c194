/** Measures candidates in turns, so that what else happens on the machine meets all of them. */
import type { Samples } from './measure.ts';

/**
 * Runs each candidate once per round, each round beginning with another one. The first round is not counted.
 *
 * @returns samples by title
 */
export async function inTurns<T extends { title: string }>(
  candidates: readonly T[],
  rounds: number,
  once: (candidate: T) => Promise<number>,
): Promise<Record<string, Samples>> {
  const samples: Record<string, number[]> = Object.fromEntries(candidates.map(({ title }) => [title, []]));
  for (let round = 0; round <= rounds; round += 1) {
    const first = round % candidates.length;
    for (const candidate of [...candidates.slice(first), ...candidates.slice(0, first)]) {
      const value = await once(candidate);
      if (round > 0) samples[candidate.title]?.push(value);
    }
  }
  return samples;
}
