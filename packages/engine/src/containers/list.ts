/** `docker ps`. */
import { TimeSlice } from '@netyard/core';
import type { Networks } from '@netyard/sandbox';
import type { ContainerService, ContainerSummary, Filters } from '../contract.ts';
import type { Images } from '../images/image-service.ts';
import type { ContainerRecord } from '../model.ts';
import type { RootFilesystems } from '../ports.ts';
import { type ContainerIndex, isAlive } from '../records/container-index.ts';
import { containerFilter, type FilterQuestions } from './filters.ts';
import { type SummaryDependencies, summarize } from './summary.ts';

/** What the functions of this file work on. */
export interface ListDependencies extends SummaryDependencies {
  readonly rootfs: RootFilesystems;
  readonly networks: Networks;
  readonly images: Images;
  readonly index: ContainerIndex;
}

export async function listContainers(
  context: ListDependencies,
  options: Parameters<ContainerService['list']>[0],
): Promise<ContainerSummary[]> {
  const accepts = await containerFilter(options.filters, questions(context));
  const all = options.all || options.limit > 0 || showsStopped(options.filters);
  const records = context.index
    .all()
    .filter((record) => all || isAlive(record))
    .sort((a, b) => (a.created < b.created ? 1 : -1));
  const listed: ContainerSummary[] = [];
  const shownAs = imageNames(context);
  const turn = new TimeSlice();
  for (const record of records) {
    if (turn.isOver) await turn.next();
    if (options.limit > 0 && listed.length === options.limit) break;
    const summary = await summarize(context, record, { size: false });
    if (!accepts(summary)) continue;
    listed.push({ ...summary, record: await shownAs(record) });
  }
  if (!options.size) return listed;
  const sized = listed.map(async (summary) => {
    const { id, layers } = summary.record;
    return { ...summary, sizes: await context.rootfs.size(id, layers) };
  });
  return Promise.all(sized);
}

/** Filtering by state selects from all containers, running or not; `before` and `since` do so in Docker, too. */
function showsStopped(filters: Filters): boolean {
  return (filters.get('status') ?? []).length > 0;
}

/** The image's name as long as it still refers to the same image, otherwise the image's id. */
function imageNames(context: ListDependencies): (record: ContainerRecord) => Promise<ContainerRecord> {
  const found = new Map<string, Promise<string | undefined>>();
  return async (record) => {
    const { image } = record.config;
    const id =
      found.get(image) ??
      context.images.get(image).then(
        (present) => present.id,
        () => undefined,
      );
    found.set(image, id);
    if ((await id) === record.imageId) return record;
    return { ...record, config: { ...record.config, image: record.imageId } };
  };
}

function questions(context: ListDependencies): FilterQuestions {
  return {
    container: (ref) => context.index.get(ref),
    networksOf: (record) => networksOf(context, record),
    imageFamily: (ref) => imageFamily(context, ref),
  };
}

/** The networks it is attached to or, when it does not run, will be attached to. */
function networksOf(context: ListDependencies, record: ContainerRecord): { name: string; id: string }[] {
  const { networks } = context;
  const refs = networks.config(record.id)?.endpoints.map((endpoint) => endpoint.network) ?? [];
  const known = networks.list();
  return known
    .filter((network) => refs.some((ref) => ref === network.name || ref === network.id))
    .map(({ name, id }) => ({ name, id }));
}

/** An image is an ancestor of every image that starts with its layers. */
async function imageFamily(context: ListDependencies, ref: string): Promise<string[]> {
  const ancestor = await context.images.get(ref).catch(() => undefined);
  if (!ancestor) return [];
  const last = ancestor.layers.at(-1)?.chainId;
  const byLayers = context.index
    .all()
    .filter((record) => last !== undefined && record.layers.includes(last))
    .map((record) => record.imageId);
  return [ancestor.id, ...byLayers];
}
