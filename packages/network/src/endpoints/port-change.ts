/** Publishes and withdraws ports of a container or an attached endpoint that is running. */
import { withUndo } from '@netyard/core';
import type { Kernel, NftElementObject } from '@netyard/kernel';
import type { PublishedPort } from '../contract.ts';
import type { PortTable } from '../ports/table.ts';
import { flushUdpConntrack } from './ports.ts';

/** Dependencies of the functions in this file. */
export interface PortChangeDependencies {
  readonly kernel: Kernel;
  readonly ports: PortTable;
  ownDeletion(): void;
}

/** A container or an attached endpoint, whose record `R` has the published ports. */
export interface PortOwner<R> {
  readonly id: string;
  /** As plans name it, such as `container web`. */
  readonly name: string;
  /** Replaces the record in memory and in the store. */
  save(record: R): void;
  /** The elements of the firewall's sets for the ports. `record` is the saved one when this is called. */
  elementsOf(record: R): NftElementObject[];
}

/** The steps of a publication that differ between owners. */
export interface Publication<R> {
  /** Adds the reserved ports to `added`, also those before a failure. */
  reserve(added: PublishedPort[]): void;
  recordWith(added: readonly PublishedPort[]): R;
  relay(added: readonly PublishedPort[]): void;
}

/** On failure, `before` holds again and nothing is reserved. */
export async function publishPortsOf<R>(
  context: PortChangeDependencies,
  owner: PortOwner<R>,
  before: R,
  { reserve, recordWith, relay }: Publication<R>,
): Promise<PublishedPort[]> {
  return withUndo(async (undo) => {
    const added: PublishedPort[] = [];
    undo.push(() => releasePorts(context, owner, added));
    reserve(added);
    const former = owner.elementsOf(before);
    const after = recordWith(added);
    undo.push(() => owner.save(before));
    owner.save(after);
    const objects = missingIn(former, owner.elementsOf(after));
    await context.kernel.apply({ owner: owner.name, objects });
    undo.push(() => removeElements(context, owner, objects));
    await flushUdpConntrack(context, added);
    relay(added);
    return added;
  });
}

/** On failure, `before` holds again. Connections through a removed port stay open, except those of UDP. */
export async function withdrawPortsOf<R>(
  context: PortChangeDependencies,
  owner: PortOwner<R>,
  before: R,
  after: R,
  removed: readonly PublishedPort[],
): Promise<void> {
  await withUndo(async (undo) => {
    const former = owner.elementsOf(before);
    undo.push(() => owner.save(before));
    owner.save(after);
    const objects = missingIn(owner.elementsOf(after), former);
    // A removal that fails has deleted all that it could.
    undo.push(async () => void (await context.kernel.apply({ owner: owner.name, objects })));
    await removeElements(context, owner, objects);
    await flushUdpConntrack(context, removed);
  });
  releasePorts(context, owner, removed);
}

async function removeElements<R>(
  context: PortChangeDependencies,
  { name }: PortOwner<R>,
  objects: NftElementObject[],
): Promise<void> {
  context.ownDeletion();
  await context.kernel.remove({ owner: name, objects });
}

function releasePorts<R>(context: PortChangeDependencies, { id }: PortOwner<R>, ports: readonly PublishedPort[]): void {
  for (const port of ports) context.ports.release(port, id);
}

const keyOf = ({ family, set, key }: NftElementObject): string => `${family} ${set} ${key}`;

function missingIn(some: readonly NftElementObject[], all: readonly NftElementObject[]): NftElementObject[] {
  const present = new Set(some.map(keyOf));
  return all.filter((element) => !present.has(keyOf(element)));
}
