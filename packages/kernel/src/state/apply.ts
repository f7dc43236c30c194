/**
 * Applies a plan: observe, compute the difference, execute it in order, roll back in reverse order on a failure.
 *
 * No process is spawned. All nftables changes in one namespace are one transaction, at the position of the first of
 * them. From the first change to the last the event loop does not run, so two plans never interleave.
 */
import { type Logger, withUndo } from '@netyard/core';
import type { ApplyOptions, ApplyReport } from '../contract.ts';
import type { KernelObject, KernelOperation, KernelPlan } from '../desired.ts';
import type { Session } from '../netlink/session.ts';
import { describeObject, namespaceOf } from '../system/identity.ts';
import { diff } from './diff.ts';
import type { Undo } from './objects/handler.ts';
import { checkObject, handlerOf, isNft, type PlainObject } from './objects/index.ts';
import { applyBatch, type NftBatch } from './objects/nft-batch.ts';
import { observeAll } from './observe.ts';

type Step =
  | { kind: 'plain'; operation: KernelOperation }
  | { kind: 'nft'; batch: NftBatch }
  | { kind: 'complete'; object: PlainObject };

export async function applyPlan(
  session: Session,
  plan: KernelPlan,
  options: ApplyOptions,
  logger: Logger,
): Promise<ApplyReport> {
  for (const object of plan.objects) checkObject(object);
  if (options.dryRun) return { operations: diff(plan.objects, observeAll(session, plan.objects)) };
  const operations = difference(session, plan.objects, options);
  return await withUndo(async (undo) => {
    const executed: KernelOperation[] = [];
    const steps = stepsOf(operations);
    for (const step of steps) {
      const result = perform(session, step, step === steps.at(-1));
      undo.push(result.undo);
      executed.push(...result.operations);
    }
    if (executed.length > 0) logger.debug('applied', { owner: plan.owner, operations: executed.length });
    return { operations: executed };
  });
}

/**
 * Elements are normally not observed: adding them shows whether they exist. But when all their dependencies exist, the
 * elements most likely do too, and a transaction that the kernel rejects costs it tens of milliseconds, during which
 * this process waits: then they are observed first.
 */
function difference(
  session: Session,
  objects: readonly KernelObject[],
  { newLinks = [] }: ApplyOptions,
): KernelOperation[] {
  const operations = diff(objects, observeAll(session, objects, { skipElements: true, newLinks }));
  const elements = operations.map(({ object }) => object);
  const onlyElementsDiffer = elements.length < objects.length && elements.every(({ kind }) => kind === 'nft-element');
  return onlyElementsDiffer ? diff(elements, observeAll(session, elements)) : operations;
}

/** Creations are completed as late as possible: see `ObjectHandler.complete`. */
function stepsOf(operations: readonly KernelOperation[]): Step[] {
  const steps: Step[] = [];
  let incomplete: PlainObject[] = [];
  for (const step of groupedSteps(operations)) {
    const isDue = (object: PlainObject): boolean =>
      step.kind !== 'plain' || handlerOf(object).complete?.precedes(object, step.operation.object) !== true;
    steps.push(...incomplete.filter(isDue).map((object) => ({ kind: 'complete', object }) as const), step);
    incomplete = incomplete.filter((object) => !isDue(object));
    if (step.kind === 'plain') incomplete.push(...completedLater(step.operation));
  }
  return [...steps, ...incomplete.map((object) => ({ kind: 'complete', object }) as const)];
}

const completedLater = ({ action, object }: KernelOperation): PlainObject[] =>
  action === 'create' && !isNft(object) && handlerOf(object).complete !== undefined ? [object] : [];

/**
 * Plain operations stay separate; nftables operations are grouped by namespace, at the position of the first of each.
 */
function groupedSteps(operations: readonly KernelOperation[]): Exclude<Step, { kind: 'complete' }>[] {
  const steps: Exclude<Step, { kind: 'complete' }>[] = [];
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

function perform(session: Session, step: Step, isLast: boolean): { operations: KernelOperation[]; undo: Undo } {
  if (step.kind === 'nft') return applyBatch(session, step.batch);
  if (step.kind === 'complete') {
    handlerOf(step.object).complete?.perform(session, step.object);
    return { operations: [], undo: () => undefined };
  }
  const { action, object } = step.operation;
  return { operations: [step.operation], undo: performPlain(session, action, object, isLast) };
}

function performPlain(
  session: Session,
  action: KernelOperation['action'],
  object: KernelObject,
  isLast: boolean,
): Undo {
  if (isNft(object)) throw new Error(`${describeObject(object)} belongs in a batch`);
  const handler = handlerOf(object);
  return action === 'create' ? handler.create(session, object, isLast) : handler.change(session, object);
}
