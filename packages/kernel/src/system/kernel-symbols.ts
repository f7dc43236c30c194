/** Names of kernel functions by address, from /proc/kallsyms: some 5 MB, read in chunks. */
import { createReadStream } from 'node:fs';

const addressDigits = 16;

/**
 * The function that contains each address. Addresses without one are absent, all of them when the kernel hides its
 * symbols (kernel.kptr_restrict).
 */
export async function findSymbols(addresses: readonly bigint[]): Promise<Map<bigint, string>> {
  const search = new SymbolSearch(addresses);
  if (addresses.length === 0) return search.found();
  let rest = '';
  for await (const chunk of createReadStream('/proc/kallsyms', { encoding: 'latin1' })) {
    const lines = `${rest}${chunk}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) search.add(line);
  }
  return search.found();
}

/** Finds the last function at or before each address. Pure but for what it remembers. */
export class SymbolSearch {
  readonly #best: { address: bigint; digits: string; start: string; name: string }[];

  constructor(addresses: readonly bigint[]) {
    this.#best = [...new Set(addresses)].map((address) => ({
      ...{ address, digits: address.toString(16).padStart(addressDigits, '0'), start: '', name: '' },
    }));
  }

  /** `ffffffff81234560 t ip_error`, with the module in brackets behind a tab. */
  add(line: string): void {
    const start = line.slice(0, addressDigits);
    if (!/[tTwW]/.test(line.charAt(addressDigits + 1)) || /^0+$/.test(start)) return;
    for (const best of this.#best) {
      if (start > best.digits || start <= best.start) continue;
      best.start = start;
      best.name = line.slice(addressDigits + 3).replace(/\s.*$/, '');
    }
  }

  found(): Map<bigint, string> {
    return new Map(this.#best.flatMap(({ address, name }) => (name === '' ? [] : [[address, name] as const])));
  }
}
