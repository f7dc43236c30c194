/** `docker events --filter`. Pure. */
import type { Filters } from '../contract.ts';
import { checkFilterKeys, matchesKeyValues } from '../filters.ts';
import type { EngineEvent } from '../model.ts';

const keys = [
  'config',
  'container',
  'daemon',
  'event',
  'image',
  'label',
  'network',
  'node',
  'plugin',
  'scope',
  'secret',
  'service',
  'type',
  'volume',
];

/** Throws `invalid` for unknown filters. */
export function eventFilter(filters: Filters): (event: EngineEvent) => boolean {
  checkFilterKeys(filters, keys);
  return (event) =>
    oneOf(filters.get('type'), (type) => event.type === type) &&
    oneOf(filters.get('scope'), (scope) => scope === 'local') &&
    oneOf(filters.get('event'), (action) => event.action === action || event.action.startsWith(`${action}:`)) &&
    matchesKeyValues(filters.get('label'), event.attributes) &&
    oneOf(filters.get('container'), (ref) => event.type === 'container' && isActor(event, ref)) &&
    oneOf(filters.get('network'), (ref) => event.type === 'network' && isActor(event, ref)) &&
    oneOf(filters.get('volume'), (ref) => event.type === 'volume' && isActor(event, ref)) &&
    oneOf(filters.get('daemon'), (ref) => event.type === 'daemon' && isActor(event, ref)) &&
    oneOf(filters.get('node'), (ref) => event.type === 'node' && isActor(event, ref)) &&
    oneOf(filters.get('image'), (ref) => isImage(event, ref)) &&
    // Netyard has no such objects and emits no events about them.
    ['config', 'plugin', 'secret', 'service'].every((type) => oneOf(filters.get(type), () => false));
}

const oneOf = (values: readonly string[] | undefined, test: (value: string) => boolean): boolean =>
  values === undefined || values.length === 0 || values.some(test);

/** Docker's FuzzyMatch: a prefix of an id or a name. */
const isActor = (event: EngineEvent, ref: string): boolean =>
  event.actorId.startsWith(ref) || event.attributes['name']?.startsWith(ref.replace(/^\//, '')) === true;

/** Container events also carry their image. A reference without a tag matches every tag. */
function isImage(event: EngineEvent, ref: string): boolean {
  const image = event.type === 'image' ? (event.attributes['name'] ?? '') : (event.attributes['image'] ?? '');
  const untagged = image.replace(/:[^:/]*$/, '');
  return (event.type === 'image' && event.actorId === ref) || image === ref || untagged === ref;
}
