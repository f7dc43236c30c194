/** Stores in memory, which outlive the engine, as the real ones do. */
import type { ContainerRecord, ContainerStore, VolumeRecord, VolumeStore } from '../../src/index.ts';

export class FakeStore implements ContainerStore, VolumeStore {
  readonly records = new Map<string, ContainerRecord>();
  readonly volumeRecords = new Map<string, VolumeRecord>();
  containers = (): ContainerRecord[] => [...this.records.values()];
  /** Ids of containers that are being created or removed. */
  readonly unfinished = new Set<string>();
  putContainer = (record: ContainerRecord): void => {
    this.records.set(record.id, record);
    this.unfinished.delete(record.id);
  };
  putUnfinishedContainer = (record: ContainerRecord): void => {
    this.unfinished.add(record.id);
    this.records.set(record.id, record);
  };
  isUnfinishedContainer = (id: string): boolean => this.unfinished.has(id);
  deleteContainer = (id: string): void => {
    this.records.delete(id);
    this.unfinished.delete(id);
  };
  /** Why writes fail; undefined: they succeed. */
  problem: string | undefined;
  writeProblem = (): string | undefined => this.problem;
  volumes = (): VolumeRecord[] => [...this.volumeRecords.values()];
  putVolume = (record: VolumeRecord): void => void this.volumeRecords.set(record.name, record);
  deleteVolume = (name: string): void => void this.volumeRecords.delete(name);
}
