/** Stores in memory, which outlive the engine, as the real ones do. */
import type { ContainerRecord, ContainerStore, VolumeRecord, VolumeStore } from '../../src/index.ts';

export class FakeStore implements ContainerStore, VolumeStore {
  readonly records = new Map<string, ContainerRecord>();
  readonly volumeRecords = new Map<string, VolumeRecord>();
  containers = (): ContainerRecord[] => [...this.records.values()];
  putContainer = (record: ContainerRecord): void => void this.records.set(record.id, record);
  deleteContainer = (id: string): void => void this.records.delete(id);
  volumes = (): VolumeRecord[] => [...this.volumeRecords.values()];
  putVolume = (record: VolumeRecord): void => void this.volumeRecords.set(record.name, record);
  deleteVolume = (name: string): void => void this.volumeRecords.delete(name);
}
