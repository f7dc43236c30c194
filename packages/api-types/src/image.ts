/** Images of the Docker Engine API. Types only. */
import type { ContainerConfig } from './container.ts';

/** One row of GET /images/json */
export interface ImageSummary {
  Containers: number;
  /** Seconds since 1970. */
  Created: number;
  Id: string;
  Labels: Record<string, string> | null;
  ParentId: string;
  RepoDigests: string[] | null;
  RepoTags: string[] | null;
  SharedSize: number;
  Size: number;
  /** Until API 1.43. */
  VirtualSize?: number;
}

/** GET /images/{name}/json */
export interface ImageInspect {
  Id: string;
  RepoTags: string[];
  RepoDigests: string[];
  Parent: string;
  Comment: string;
  Created?: string;
  DockerVersion: string;
  Author: string;
  Config: Partial<ContainerConfig>;
  /** Until API 1.44. */
  ContainerConfig?: Partial<ContainerConfig>;
  Architecture: string;
  Variant?: string;
  Os: string;
  Size: number;
  /** Until API 1.43. */
  VirtualSize?: number;
  GraphDriver: { Data: Record<string, string> | null; Name: string };
  RootFS: { Type: string; Layers?: string[] };
  Metadata: { LastTagTime: string };
}

export interface ImageHistoryItem {
  Id: string;
  /** Seconds since 1970. */
  Created: number;
  CreatedBy: string;
  Tags: string[] | null;
  Size: number;
  Comment: string;
}

export type ImageDeleteItem = { Untagged: string } | { Deleted: string };

export interface ImagePruneResponse {
  ImagesDeleted: ImageDeleteItem[] | null;
  SpaceReclaimed: number;
}

/** A line of the progress streams of pull, push, load and import. */
export interface JSONMessage {
  stream?: string;
  status?: string;
  progressDetail?: { current?: number; total?: number };
  /** Progress as text, as Docker shows it on terminals. */
  progress?: string;
  id?: string;
  errorDetail?: { code?: number; message: string };
  error?: string;
  aux?: Record<string, unknown>;
}

/** Base64url JSON in the header X-Registry-Auth; also the body of POST /auth. */
export interface AuthConfig {
  username?: string;
  password?: string;
  auth?: string;
  email?: string;
  serveraddress?: string;
  identitytoken?: string;
  registrytoken?: string;
}

export interface AuthResponse {
  Status: string;
  IdentityToken: string;
}
