/** Rates as text and as the width of a line. Pure. */

/** `0 B/s`, `950 B/s`, `1.2 MB/s`: decimal multiples, as network rates have them. */
export function formatRate(bytes: number): string {
  const units = ['B/s', 'kB/s', 'MB/s', 'GB/s'];
  let value = bytes;
  let index = 0;
  while (value >= 999.5 && index < units.length - 1) {
    value /= 1000;
    index += 1;
  }
  return `${value >= 10 || index === 0 ? Math.round(value) : value.toFixed(1)} ${units[index]}`;
}

/** Pixels: 1 without traffic, one more for each factor of ten above 100 bytes per second, at most 8. */
export const lineWidth = (bytes: number): number => Math.min(8, 1 + Math.max(0, Math.log10(Math.max(1, bytes)) - 1));
