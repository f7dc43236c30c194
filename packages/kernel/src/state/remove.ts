/**
 * Takes a plan's objects away, last first: what is gone already is fine, what fails does not stop the rest.
 *
 * What stands on a link or in a namespace of the same plan goes with it and is not deleted by itself. The nftables of
 * one namespace go in one transaction, where the first of them stood, so that nothing loses its rules before its link.
 */
import { type Logger, messageOf, NetyardError } from '@netyard/core';
import type { ApplyOptions, ApplyReport } from '../contract.ts';
import type { KernelObject, KernelOperation, KernelPlan } from '../desired.ts';
import type { Session } from '../netlink/session.ts';
import { describeObject, namespaceOf } from '../system/identity.ts';
import { diffRemoval } from './diff.ts';
import { independentObjects } from './ground.ts';
import { isGone } from './objects/handler.ts';
import { checkObject, handlerOf, isNft, type PlainObject } from './objects/index.ts';
import { type NftObject, removeBatch } from './objects/nft-batch.ts';
import { observeAll } from './observe.ts';

export async function removePlan(
  session: Session,
  plan: KernelPlan,
  options: ApplyOptions,
  logger: Logger,
): Promise<ApplyReport> {
  for (const object of plan.objects) checkObject(object);
  const objects = independentObjects(plan.objects);
  if (options.dryRun) return { operations: diffRemoval(objects, observeAll(session, objects)) };
  const done: KernelObject[] = [];
  const failures: unknown[] = [];
  for (const step of removalSteps(objects)) {
    try {
      done.push(...(await step(session)));
    } catch (error) {
      failures.push(error);
    }
  }
  if (done.length > 0) logger.debug('removed', { owner: plan.owner, operations: done.length });
  if (failures.length > 0) throw joinedError(plan, failures);
  return { operations: done.map((object): KernelOperation => ({ action: 'delete', object })) };
}

type RemovalStep = (session: Session) => Promise<KernelObject[]>;

function removalSteps(objects: readonly KernelObject[]): RemovalStep[] {
  const gathered = Map.groupBy(objects.filter(isNft), namespaceOf);
  const steps: RemovalStep[] = [];
  for (const object of objects) {
    if (!isNft(object)) {
      steps.push((session) => removeOne(session, object));
      continue;
    }
    const ns = namespaceOf(object);
    const members = gathered.get(ns);
    gathered.delete(ns);
    if (members) steps.push((session) => removeNft(session, ns, members));
  }
  return steps.reverse();
}

async function removeOne(session: Session, object: PlainObject): Promise<KernelObject[]> {
  try {
    return (await handlerOf(object).delete(session, object)) ? [object] : [];
  } catch (error) {
    if (isGone(error)) return []; // not the object but what it stood on is gone
    throw error;
  }
}

/** When the transaction is refused, each object is tried alone, so that one bad element keeps no other. */
async function removeNft(session: Session, ns: string | undefined, members: readonly NftObject[]) {
  try {
    // In the order in which they were made: of a set of intervals the kernel finds the first ones at once.
    return removeBatch(session, ns, members).reverse();
  } catch (error) {
    if (isGone(error)) return [];
    if (members.length === 1) throw error;
  }
  const done: NftObject[] = [];
  const failures: unknown[] = [];
  for (const member of [...members].reverse()) {
    try {
      done.push(...removeBatch(session, ns, [member]));
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw new AggregateError(failures, failures.map(messageOf).join('; '));
  return done;
}

function joinedError(plan: KernelPlan, failures: readonly unknown[]): NetyardError {
  const first = plan.objects[0];
  const owner = plan.owner || (first ? describeObject(first) : 'nothing');
  const cause = new AggregateError(failures);
  return new NetyardError('internal', `removing ${owner}: ${failures.map(messageOf).join('; ')}`, { cause });
}
