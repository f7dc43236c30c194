/** `docker history`: the build steps of an image, newest first. */
import type { ImageService } from '../contract.ts';
import type { ImageRecord } from '../model.ts';
import type { ImageContent } from '../ports.ts';
import { parseTime } from './image-record.ts';

type HistoryStep = Awaited<ReturnType<ImageService['history']>>[number];

/** Only the last step has an id and names; sizes are those of the layers. */
export async function historyOf(content: ImageContent, record: ImageRecord): Promise<HistoryStep[]> {
  const steps: HistoryStep[] = [];
  let layer = 0;
  for (const step of record.config.history) {
    const chainId = step.emptyLayer ? undefined : record.layers[layer]?.chainId;
    if (!step.emptyLayer) layer += 1;
    steps.unshift({
      id: '<missing>',
      created: parseTime(step.created) ?? 0n,
      createdBy: step.createdBy ?? '',
      tags: [],
      size: chainId === undefined ? 0 : await content.layerSize(chainId),
      comment: step.comment ?? '',
    });
  }
  const [newest, ...older] = steps;
  return newest ? [{ ...newest, id: record.id, tags: record.tags }, ...older] : [];
}
