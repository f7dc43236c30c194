/**
 * Docker's options for announcing the addresses of new endpoints to their neighbours, who may know another MAC for them or
 * another port of a switch. Docker's messages (moby daemon/libnetwork/network.go). Pure.
 */
import { NetyardError } from '@netyard/core';
import type { NetworkRecord } from '../contract.ts';

const countOption = 'com.docker.network.advertise_addr_nmsgs';
const intervalOption = 'com.docker.network.advertise_addr_ms';
export const advertisementOptions = [countOption, intervalOption] as const;

const counts = { least: 0, most: 3 };
const intervals = { least: 100, most: 2000 };
const defaultIntervalMs = 1000;

export function validateAdvertisement(options: NetworkRecord['options']): NetyardError[] {
  return [
    ...checkRange(options, countOption, { ...counts, unit: 'an integer' }),
    ...checkRange(options, intervalOption, { ...intervals, unit: 'integer milliseconds' }),
  ];
}

function checkRange(
  options: NetworkRecord['options'],
  key: string,
  { least, most, unit }: { least: number; most: number; unit: string },
): NetyardError[] {
  const value = options[key];
  if (value === undefined) return [];
  if (!/^[+-]?\d+$/.test(value))
    return [new NetyardError('invalid', `value for option ${key} ${JSON.stringify(value)} must be ${unit}`)];
  if (Number(value) >= least && Number(value) <= most) return [];
  return [new NetyardError('invalid', `${key} must be in the range ${least} to ${most}`)];
}

/**
 * How often the addresses of a new endpoint are announced, and at which interval. Undefined without the options, unlike in
 * Docker, where MACs are random: here the MAC follows from the address, so that neighbours' caches remain right.
 */
export function advertisementOf({
  options: { [countOption]: count, [intervalOption]: interval },
}: Pick<NetworkRecord, 'options'>): { count: number; intervalMs: number } | undefined {
  if (count === undefined && interval === undefined) return undefined;
  return { count: Number(count ?? counts.most), intervalMs: Number(interval ?? defaultIntervalMs) };
}
