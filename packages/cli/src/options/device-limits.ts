/** Parses `--device-read-bps PATH:RATE`, `--blkio-weight-device PATH:WEIGHT` etc. Pure; messages are docker's. */
import { parseBytes } from '../program/values.ts';

type Kind = 'bytes' | 'count' | 'weight';

export function parseDeviceLimit(text: string, kind: Kind): { path: string; value: number } {
  const split = text.indexOf(':');
  const path = text.slice(0, Math.max(split, 0));
  const given = text.slice(split + 1);
  if (path === '') throw new Error(`bad format: ${text}`);
  if (!path.startsWith('/dev/')) throw new Error(`bad format for device path: ${text}`);
  if (kind === 'weight') return { path, value: weightOf(given, text) };
  return { path, value: kind === 'bytes' ? bytesOf(given, text) : countOf(given, text) };
}

function weightOf(given: string, text: string): number {
  if (!/^\d+$/.test(given)) throw new Error(`invalid weight for device: ${text}`);
  const weight = Number(given);
  if (weight > 0 && (weight < 10 || weight > 1000)) throw new Error(`invalid weight for device: ${text}`);
  return weight;
}

function bytesOf(given: string, text: string): number {
  try {
    return parseBytes(given);
  } catch {
    throw new Error(
      `invalid rate for device: ${text}. The correct format is <device-path>:<number>[<unit>]. Number must be a positive integer. Unit is optional and can be kb, mb, or gb`,
    );
  }
}

function countOf(given: string, text: string): number {
  if (/^\d+$/.test(given)) return Number(given);
  throw new Error(
    `invalid rate for device: ${text}. The correct format is <device-path>:<number>. Number must be a positive integer`,
  );
}
