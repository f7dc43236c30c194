/**
 * Deletes a plan's objects in reverse order. Objects that no longer exist are skipped, and a failure does not stop the
 * rest.
 *
 * Objects that depend on a link or a namespace of the same plan are deleted with it, not separately. The nftables
 * objects of one namespace are deleted in one transaction, at the position of the first of them, so that a link is
 * deleted before its rules.
 */
import { failureCodeOf, type Logger, messageOf, NetyardError } from '@netyard/core';
import type { ApplyOptions, ApplyReport } from '../contract.ts';
import type { KernelObject, KernelOperation, KernelPlan } from '../desired.ts';
import type { Session } from '../netlink/session.ts';
import { describeObject, namespaceOf } from '../system/identity.ts';
import { independentObjects } from './dependencies.ts';
import { diffRemoval } from './diff.ts';
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
  const deleted: KernelObject[] = [];
  const failures: unknown[] = [];
  for (const step of removalSteps(objects)) {
    try {
      deleted.push(...(await step(session)));
    } catch (error) {
      failures.push(error);
    }
  }
  if (deleted.length > 0) logger.debug('removed', { owner: plan.owner, operations: deleted.length });
  if (failures.length > 0) throw joinedError(plan, failures);
  return { operations: deleted.map((object): KernelOperation => ({ action: 'delete', object })) };
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
    if (isGone(error)) return []; // a dependency of the object is gone
    throw error;
  }
}

/**
 * When the kernel rejects the transaction, each object is deleted separately, so that one bad element does not keep the
 * others.
 */
async function removeNft(session: Session, ns: string | undefined, members: readonly NftObject[]) {
  try {
    // In creation order: in an interval set the kernel finds the first elements fastest.
    return removeBatch(session, ns, members).reverse();
  } catch (error) {
    if (isGone(error)) return [];
    if (members.length === 1) throw error;
  }
  const deleted: NftObject[] = [];
  const failures: unknown[] = [];
  for (const member of [...members].reverse()) {
    try {
      deleted.push(...removeBatch(session, ns, [member]));
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw new AggregateError(failures, failures.map(messageOf).join('; '));
  return deleted;
}

function joinedError(plan: KernelPlan, failures: readonly unknown[]): NetyardError {
  const first = plan.objects[0];
  const owner = plan.owner || (first ? describeObject(first) : 'nothing');
  const cause = new AggregateError(failures);
  return new NetyardError(failureCodeOf(cause), `removing ${owner}: ${failures.map(messageOf).join('; ')}`, { cause });
}
