/** Looks at the wanted objects, and only at them: point questions, no listing of everything. Changes nothing. */
import type { KernelObject, NftElementObject, Observation } from '../desired.ts';
import type { Session } from '../netlink/session.ts';
import { namespaceOf } from '../system/identity.ts';
import { Dependencies } from './ground.ts';
import { absent, isGone } from './objects/handler.ts';
import { observeObject } from './objects/index.ts';
import { compareElement, findElements } from './objects/nft-batch.ts';

export interface ObserveOptions {
  /** Says `absent` of nft elements without looking; for whoever finds out by adding them. */
  skipElements?: boolean;
}

/** One observation for each object, in the same order. */
export function observeAll(
  session: Session,
  objects: readonly KernelObject[],
  options: ObserveOptions = {},
): Observation[] {
  const missing = new Dependencies();
  const elements = options.skipElements ? new Map<KernelObject, Observation>() : observeElements(session, objects);
  return objects.map((object) => {
    if (missing.carries(object)) return noteAbsent(missing, object);
    const found = object.kind === 'nft-element' ? (elements.get(object) ?? absent) : observeObject(session, object);
    return found.state === 'absent' ? noteAbsent(missing, object) : found;
  });
}

function noteAbsent(missing: Dependencies, object: KernelObject): Observation {
  missing.add(object);
  return absent;
}

/** All elements of one namespace together, so that a big set is read once. */
function observeElements(session: Session, objects: readonly KernelObject[]): Map<KernelObject, Observation> {
  const elements = objects.filter((object) => object.kind === 'nft-element');
  const observations = new Map<KernelObject, Observation>();
  for (const [ns, members] of Map.groupBy(elements, namespaceOf)) {
    const found = findOrNothing(session, ns, members);
    members.forEach((element, index) => {
      observations.set(element, compareElement(found[index], element));
    });
  }
  return observations;
}

/** The namespace itself may not be there. */
function findOrNothing(session: Session, ns: string | undefined, elements: readonly NftElementObject[]) {
  try {
    return findElements(session, ns, elements);
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}
