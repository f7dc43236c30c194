/** Address families: one type for everything that exists once per family, and the functions on it. Pure. */

export type Family = 'v4' | 'v6';

/** A value for each family in use; an absent one is disabled, or was not requested. */
export interface PerFamily<T> {
  v4?: T;
  v6?: T;
}

export const families = ['v4', 'v6'] as const satisfies readonly Family[];

/** The family of an address or a prefix in text form. */
export const familyOfAddress = (text: string): Family => (text.includes(':') ? 'v6' : 'v4');

/** The value for a family of one that has IPv4's itself and IPv6's in a field: the form of older records. */
export const ofFamily = <T>(both: (T & { ipv6?: T }) | undefined, family: Family): T | undefined =>
  family === 'v4' ? both : both?.ipv6;

/** Calls `make` for each family, and leaves out those for which it returns undefined. */
export function perFamily<T>(make: (family: Family) => T | undefined): PerFamily<T> {
  const entries = families.map((family) => [family, make(family)] as const);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined)) as PerFamily<T>;
}

/** The values present, IPv4 first. */
export const valuesOf = <T>(both: PerFamily<T> = {}): T[] =>
  families.map((family) => both[family]).filter((value) => value !== undefined) as T[];
