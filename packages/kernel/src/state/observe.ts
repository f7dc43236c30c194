/** Observes the desired objects, and only them: individual queries, no full dumps. Changes nothing. */
import type { KernelObject, NftElementObject, Observation } from '../desired.ts';
import type { Session } from '../netlink/session.ts';
import { namespaceOf } from '../system/identity.ts';
import { Dependencies } from './dependencies.ts';
import { absent, isGone } from './objects/handler.ts';
import { observeObject } from './objects/index.ts';
import { compareElement, findElements } from './objects/nft-batch.ts';

export interface ObserveOptions {
  /** Reports nft elements as `absent` without a query; for callers that detect existing ones by adding them. */
  skipElements?: boolean;
  /** The same for bridges and veth pairs of these names, outside of namespaces. */
  newLinks?: readonly string[];
}

/** One observation per object, in the same order. */
export function observeAll(
  session: Session,
  objects: readonly KernelObject[],
  options: ObserveOptions = {},
): Observation[] {
  const missing = new Dependencies();
  const isNew = (object: KernelObject): boolean =>
    (object.kind === 'bridge' || object.kind === 'veth') &&
    object.ns === undefined &&
    options.newLinks?.includes(object.name) === true;
  const elements = options.skipElements ? new Map<KernelObject, Observation>() : observeElements(session, objects);
  return objects.map((object) => {
    if (isNew(object) || missing.isDependencyOf(object)) return recordAbsent(missing, object);
    const found = object.kind === 'nft-element' ? (elements.get(object) ?? absent) : observeObject(session, object);
    return found.state === 'absent' ? recordAbsent(missing, object) : found;
  });
}

function recordAbsent(missing: Dependencies, object: KernelObject): Observation {
  missing.add(object);
  return absent;
}

/** Observes all elements of one namespace together, so that a large set is read once. */
function observeElements(session: Session, objects: readonly KernelObject[]): Map<KernelObject, Observation> {
  const elements = objects.filter((object) => object.kind === 'nft-element');
  const observations = new Map<KernelObject, Observation>();
  for (const [ns, members] of Map.groupBy(elements, namespaceOf)) {
    const found = findUnlessGone(session, ns, members);
    members.forEach((element, index) => {
      observations.set(element, compareElement(found[index], element));
    });
  }
  return observations;
}

/** Empty when the namespace itself does not exist. */
function findUnlessGone(session: Session, ns: string | undefined, elements: readonly NftElementObject[]) {
  try {
    return findElements(session, ns, elements);
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}
