/** Rates from two samples of counters. Pure. */
import type { LinkStatistics } from '@netyard/kernel';
import type { LinkRate } from '@netyard/page';

export interface Sample<Counters> {
  /** Nanoseconds since 1970. */
  time: bigint;
  counters: ReadonlyMap<string, Counters>;
}

/** Per second, rounded; zero for a counter that went back (another interface of the same name). */
function perSecond(before: bigint, after: bigint, nanoseconds: bigint): number {
  if (nanoseconds <= 0n || after <= before) return 0;
  return Math.round((Number(after - before) * 1e9) / Number(nanoseconds));
}

const dropsOf = ({ rxDropped, rxErrors, txDropped, txErrors }: LinkStatistics): bigint =>
  rxDropped + rxErrors + txDropped + txErrors;

/** Interfaces of both samples with traffic in between. */
export function computeRates(before: Sample<LinkStatistics>, after: Sample<LinkStatistics>): Record<string, LinkRate> {
  const elapsed = after.time - before.time;
  const rates: Record<string, LinkRate> = {};
  for (const [name, now] of after.counters) {
    const then = before.counters.get(name);
    if (then === undefined) continue;
    const rate: LinkRate = [
      perSecond(then.rxBytes, now.rxBytes, elapsed),
      perSecond(then.txBytes, now.txBytes, elapsed),
      perSecond(dropsOf(then), dropsOf(now), elapsed),
    ];
    if (rate.some((value) => value > 0)) rates[name] = rate;
  }
  return rates;
}

export interface PacketCounters {
  in: bigint;
  out: bigint;
}

/** The same for packets of peers. */
export function computePacketRates(
  before: Sample<PacketCounters>,
  after: Sample<PacketCounters>,
): Record<string, [number, number]> {
  const elapsed = after.time - before.time;
  const rates: Record<string, [number, number]> = {};
  for (const [name, now] of after.counters) {
    const then = before.counters.get(name);
    if (then === undefined) continue;
    const rate: [number, number] = [perSecond(then.in, now.in, elapsed), perSecond(then.out, now.out, elapsed)];
    if (rate.some((value) => value > 0)) rates[name] = rate;
  }
  return rates;
}
