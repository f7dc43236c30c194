/** Persistent records of containers, images and volumes. Calls are synchronous and durable. */
import type { ContainerRecord, ImageRecord, VolumeRecord } from '../model.ts';

export interface ContainerStore {
  containers(): ContainerRecord[];
  putContainer(record: ContainerRecord): void;
  /** As `putContainer`, and marks on the disk that the container is being created or removed. */
  putUnfinishedContainer(record: ContainerRecord): void;
  /** Only then may a start delete what belongs to it: an older database may list as unfinished what is complete. */
  isUnfinishedContainer(id: string): boolean;
  deleteContainer(id: string): void;
}

export interface ImageStore {
  images(): ImageRecord[];
  putImage(record: ImageRecord): void;
  deleteImage(id: string): void;
  /**
   * Digests of blobs and chain ids of layers (`blob X`, `layer X`) that are being added or removed: only these may be
   * removed at a start, when no record names them.
   */
  contentIntents(): string[];
  putContentIntent(name: string): void;
  deleteContentIntent(name: string): void;
}

export interface VolumeStore {
  volumes(): VolumeRecord[];
  putVolume(record: VolumeRecord): void;
  deleteVolume(name: string): void;
}
