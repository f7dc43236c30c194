/** Volumes of the Docker Engine API. Types only. */
import type { Input } from './fields/shape.ts';
import type { volumeCreate } from './fields/volume.ts';

export interface Volume {
  CreatedAt: string;
  Driver: string;
  Labels: Record<string, string> | null;
  Mountpoint: string;
  Name: string;
  Options: Record<string, string> | null;
  Scope: 'local' | 'global';
  UsageData?: { Size: number; RefCount: number };
}

export interface VolumeListResponse {
  Volumes: Volume[];
  Warnings: string[] | null;
}

/** POST /volumes/create */
export type VolumeCreateRequest = Input<typeof volumeCreate>;

export interface VolumePruneResponse {
  VolumesDeleted: string[] | null;
  SpaceReclaimed: number;
}
