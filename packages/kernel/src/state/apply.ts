/**
 * Makes a plan true: observe, take the difference, carry it out in order, undo in reverse on a failure.
 *
 * No process is spawned. Everything of one namespace's nftables happens in one transaction, at the place of the first
 * of it. From the first change to the last the event loop gets no turn, so two plans never mix.
 */
import { type Logger, withUndo } from '@netyard/core';
import type { ApplyOptions, ApplyReport } from '../contract.ts';
import type { KernelObject, KernelOperation, KernelPlan } from '../desired.ts';
import type { Session } from '../netlink/session.ts';
import { describeObject, namespaceOf } from '../system/identity.ts';
import { diff } from './diff.ts';
import type { Undo } from './objects/handler.ts';
import { checkObject, handlerOf, isNft } from './objects/index.ts';
import { applyBatch, type NftBatch } from './objects/nft-batch.ts';
import { observeAll } from './observe.ts';

type Step = { kind: 'plain'; operation: KernelOperation } | { kind: 'nft'; batch: NftBatch };

export async function applyPlan(
  session: Session,
  plan: KernelPlan,
  options: ApplyOptions,
  logger: Logger,
): Promise<ApplyReport> {
  for (const object of plan.objects) checkObject(object);
  if (options.dryRun) return { operations: diff(plan.objects, observeAll(session, plan.objects)) };
  const operations = difference(session, plan.objects);
  return await withUndo(async (undo) => {
    const done: KernelOperation[] = [];
    for (const step of stepsOf(operations)) {
      const result = perform(session, step);
      undo.push(result.undo);
      done.push(...result.operations);
    }
    if (done.length > 0) logger.debug('applied', { owner: plan.owner, operations: done.length });
    return { operations: done };
  });
}

/**
 * Elements are not looked at, for adding them tells. But when all that they stand on is there they most likely are too,
 * and a transaction that the kernel refuses costs it tens of milliseconds, in which we wait: then they are.
 */
function difference(session: Session, objects: readonly KernelObject[]): KernelOperation[] {
  const operations = diff(objects, observeAll(session, objects, { skipElements: true }));
  const elements = operations.map(({ object }) => object);
  const isThere = elements.length < objects.length && elements.every(({ kind }) => kind === 'nft-element');
  return isThere ? diff(elements, observeAll(session, elements)) : operations;
}

/** Plain operations one by one; those of nftables gathered by namespace, where the first of them stands. */
function stepsOf(operations: readonly KernelOperation[]): Step[] {
  const steps: Step[] = [];
  const gathered = Map.groupBy(
    operations.filter(({ object }) => isNft(object)),
    ({ object }) => namespaceOf(object),
  );
  for (const operation of operations) {
    if (!isNft(operation.object)) {
      steps.push({ kind: 'plain', operation });
      continue;
    }
    const ns = namespaceOf(operation.object);
    const members = gathered.get(ns);
    gathered.delete(ns);
    if (members) steps.push({ kind: 'nft', batch: batchOf(ns, members) });
  }
  return steps;
}

function batchOf(ns: string | undefined, members: readonly KernelOperation[]): NftBatch {
  const elements = members.map(({ object }) => object).filter((object) => object.kind === 'nft-element');
  return { ns, elements, tables: members.filter(({ object }) => object.kind === 'nft-table') };
}

function perform(session: Session, step: Step): { operations: KernelOperation[]; undo: Undo } {
  if (step.kind === 'nft') return applyBatch(session, step.batch);
  const { action, object } = step.operation;
  return { operations: [step.operation], undo: performPlain(session, action, object) };
}

function performPlain(session: Session, action: KernelOperation['action'], object: KernelObject): Undo {
  if (isNft(object)) throw new Error(`${describeObject(object)} belongs in a batch`);
  const handler = handlerOf(object);
  return action === 'create' ? handler.create(session, object) : handler.change(session, object);
}
