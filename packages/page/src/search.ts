/** The search of the page: `name:web net:front ip:172.17. port:80 state:running word -word`. Pure. */
import type { PageItem } from './model.ts';

export const searchFields = ['name', 'net', 'ip', 'port', 'state', 'image', 'host', 'engine'] as const;
export type SearchField = (typeof searchFields)[number];

export interface SearchTerm {
  /** Undefined: any field. */
  field: SearchField | undefined;
  /** In lower case. */
  value: string;
  isNegated: boolean;
}

const isField = (text: string): text is SearchField => (searchFields as readonly string[]).includes(text);

/** Terms are separated by white space, values with white space are in double quotes. An unknown field is part of a word. */
export function parseSearch(text: string): SearchTerm[] {
  const words = text.match(/(?:[^\s"]|"[^"]*"?)+/g) ?? [];
  return words.flatMap((word) => {
    const isNegated = word.startsWith('-') && word.length > 1;
    const plain = (isNegated ? word.slice(1) : word).replaceAll('"', '').toLowerCase();
    const colon = plain.indexOf(':');
    const field = plain.slice(0, Math.max(0, colon));
    const term = isField(field)
      ? { field, value: plain.slice(colon + 1), isNegated }
      : { field: undefined, value: plain, isNegated };
    // `name:` while it is typed.
    return term.value === '' ? [] : [term];
  });
}

/** Whether an item matches all terms. Ports match exactly, addresses from their start, all else anywhere. */
export function matches(item: PageItem, terms: readonly SearchTerm[]): boolean {
  return terms.every(({ field, value, isNegated }) => {
    const fields = field === undefined ? searchFields : [field];
    return fields.some((name) => hasValue(item, name, value)) !== isNegated;
  });
}

function hasValue(item: PageItem, field: SearchField, value: string): boolean {
  const values = valuesOf(item, field).map((text) => text.toLowerCase());
  if (field === 'port') return values.some((text) => text === value || text.startsWith(`${value}/`));
  return values.some((text) => (field === 'ip' ? text.startsWith(value) : text.includes(value)));
}

function valuesOf(item: PageItem, field: SearchField): string[] {
  switch (field) {
    case 'name':
      return namesOf(item);
    case 'net':
      if (item.kind === 'container') return item.endpoints.map(({ network }) => network);
      return item.kind === 'network' ? [item.name] : [];
    case 'ip':
      return addressesOf(item);
    case 'port':
      if (item.kind !== 'container') return [];
      return item.ports.flatMap((port) =>
        [port.hostPort, port.containerPort].map((number) => `${number}/${port.protocol}`),
      );
    case 'state':
      return stateOf(item);
    case 'engine':
      return item.kind === 'peer' ? [] : [item.foreign ?? 'netyard'];
    case 'image':
      return item.kind === 'container' ? [item.image] : [];
    case 'host':
      return [item.kind === 'host' ? item.name : item.host.replace(/^host:/, '')];
  }
}

function namesOf(item: PageItem): string[] {
  if (item.kind !== 'container') return [item.name];
  return [item.name, ...item.endpoints.flatMap(({ names }) => names), ...item.links.map(({ alias }) => alias)];
}

function addressesOf(item: PageItem): string[] {
  if (item.kind === 'container') return item.endpoints.flatMap(({ addresses }) => addresses);
  if (item.kind === 'network') return item.subnets.flatMap(({ subnet, gateway }) => [subnet, gateway ?? '']);
  return item.kind === 'peer' ? [item.address, ...item.subnets] : [];
}

function stateOf(item: PageItem): string[] {
  const problem = item.problems.length > 0 ? ['problem'] : [];
  if (item.kind === 'container') return [item.state, ...problem];
  if (item.kind === 'peer') return [item.via === undefined ? 'down' : 'up', ...problem];
  return problem;
}
