/** `docker history`: the build steps of an image, newest first. */
import type { ImageService } from '../contract.ts';
import type { ImageRecord } from '../model.ts';
import type { ImageContent } from '../ports.ts';
import { parseTime } from './image-time.ts';

type HistoryStep = Awaited<ReturnType<ImageService['history']>>[number];

/** Only last steps of images that exist here have ids and names; sizes are those of the layers. */
export async function historyOf(
  content: ImageContent,
  images: readonly ImageRecord[],
  record: ImageRecord,
): Promise<HistoryStep[]> {
  const ends = endsOf(images, record);
  const steps: HistoryStep[] = [];
  let layer = 0;
  for (const [index, step] of record.config.history.entries()) {
    const end = ends.get(index);
    const chainId = step.emptyLayer ? undefined : record.layers[layer]?.chainId;
    if (!step.emptyLayer) layer += 1;
    steps.unshift({
      id: end?.id ?? '<missing>',
      created: parseTime(step.created) ?? 0n,
      createdBy: step.createdBy ?? '',
      tags: end?.tags ?? [],
      size: chainId === undefined ? 0 : await content.layerSize(chainId),
      comment: step.comment ?? '',
    });
  }
  return steps;
}

/** An image and those that it was committed from, by the index of their last step. */
function endsOf(images: readonly ImageRecord[], record: ImageRecord): Map<number, ImageRecord> {
  const ends = new Map<number, ImageRecord>();
  for (let image: ImageRecord | undefined = record; image !== undefined; ) {
    ends.set(image.config.history.length - 1, image);
    const { parent }: ImageRecord = image;
    image = images.find(({ id }) => id === parent);
  }
  return ends;
}
