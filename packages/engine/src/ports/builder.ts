/** Builds images from Dockerfiles with another program, in directories of its own. */
import type { Readable } from 'node:stream';
import type { Ulimit } from '../model.ts';

/** Limits of the steps of a build; 0 and '' mean none. */
export interface BuildLimits {
  memory: number;
  /** Memory and swap together; -1: unlimited. */
  memorySwap: number;
  cpuShares: number;
  cpuPeriod: number;
  cpuQuota: number;
  cpusetCpus: string;
  cpusetMems: string;
  shmSize: number;
  ulimits: readonly Ulimit[];
}

/** The network of RUN and ADD. */
export type BuildNetwork =
  | { kind: 'none' }
  | { kind: 'host' }
  /** An existing network namespace. */
  | { kind: 'namespace'; path: string; nameServers: readonly string[] };

export interface BuildRun {
  /** Its last stage is the image. */
  dockerfile: string;
  buildArgs: ReadonlyMap<string, string>;
  labels: Readonly<Record<string, string>>;
  /** `name:address` */
  extraHosts: readonly string[];
  limits: BuildLimits;
  network: BuildNetwork;
}

/** The directories of one build. */
export interface BuildWorkspace {
  /** Identifies the build among all of this daemon. */
  readonly id: string;
  /** Unpacks a tar archive, compressed or not; throws `invalid` when an entry leads out. */
  unpack(context: Readable): Promise<void>;
  /** A file of the context, links resolved inside of it; undefined if there is none. Throws `invalid` above the limit. */
  readFile(path: string, limit: number): Promise<string | undefined>;
  /** Adds an image that Dockerfiles can refer to by these names. @param archive as of `docker save` */
  addImage(archive: NodeJS.ReadableStream, names: readonly string[], signal: AbortSignal): Promise<void>;
  /**
   * Builds; `onLine` gets what the program and its steps print, line by line, in order, and is waited for. Resolves with the image's id, or
   * with undefined when the build failed: the last lines say why. On abort its processes have ended when it rejects.
   */
  build(
    run: BuildRun,
    onLine: (line: string) => Promise<void> | undefined,
    signal: AbortSignal,
  ): Promise<string | undefined>;
  /** The image as an archive for `docker load`. */
  archive(imageId: string, signal: AbortSignal): Promise<Readable>;
  /** Removes everything of the build, after its processes have ended. */
  close(): Promise<void>;
}

export interface ImageBuilder {
  /** Throws `not-implemented`, with a hint, when the program is missing. */
  open(): Promise<BuildWorkspace>;
  /** Removes what builds of an earlier daemon left. */
  removeLeftovers(): Promise<void>;
}
