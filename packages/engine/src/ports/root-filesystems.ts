/** Root file systems of containers: mounts, changes, and archives in and out. */
import type { Readable } from 'node:stream';

export interface RootFolders {
  lower: string[];
  upper: string;
  work: string;
  merged: string;
}

/** Overlay root file systems below the data root, and safe access to what is inside them. */
export interface RootFilesystems {
  /**
   * Creates the container's own directories (upper, work) and, with init files, mount points for /etc/hosts and the
   * like.
   */
  create(containerId: string, layers: readonly string[]): Promise<void>;
  /**
   * Mounts it (once) and returns the path of the merged view.
   * @param isDisposable its files need not survive a crash of the host, so they are not written to the disk on purpose
   */
  mount(containerId: string, layers: readonly string[], isDisposable: boolean): Promise<string>;
  /**
   * Once the container runs: removes the mount from the host's mount table, every line of which makes each start of a
   * container slower. The container's own mount namespace keeps it. No error when the process has ended meanwhile, or
   * when it is not mounted any more.
   * @param pid its main process
   */
  detach(containerId: string, pid: number): Promise<void>;
  unmount(containerId: string): Promise<void>;
  /** Removes the directories; unmounts first. */
  remove(containerId: string): Promise<void>;
  /**
   * Runs with the merged view, without what is mounted in it, of a running or stopped container. The path is valid for this
   * process only.
   */
  withMounted<T>(containerId: string, layers: readonly string[], work: (root: string) => Promise<T>): Promise<T>;
  /** The same for a stopped container, with its mounts in place; shows the files as the container would see them. */
  withMounts<T>(
    containerId: string,
    layers: readonly string[],
    view: { mounts: readonly ViewMount[]; readOnlyRoot: boolean },
    work: (root: string) => Promise<T>,
  ): Promise<T>;
  /** The root of a running container as it sees it; undefined when its process has ended. */
  holdRoot(containerId: string, pid: number): HeldRoot | undefined;
  /** `docker diff`: the container's changes against its image. */
  changes(
    containerId: string,
    layers: readonly string[],
  ): Promise<{ path: string; kind: 'modified' | 'added' | 'deleted' }[]>;
  /**
   * The container's changes as an image layer: an uncompressed tar with whiteouts (OCI image-spec, layer.md), read in
   * another thread at the reader's pace. Paths that vanish meanwhile are not in it.
   */
  readLayer(containerId: string): Readable;
  /** Bytes in the writable layer / in all of it. */
  size(containerId: string, layers: readonly string[]): Promise<{ writable: number; total: number }>;
  /** Container ids that have directories: for clean-up after a crash. */
  list(): Promise<string[]>;
  /** A container's directories, uppermost layer first, for `docker inspect`. */
  folders?(containerId: string, layers: readonly string[]): RootFolders;

  /** Resolved inside `root` by the kernel (openat2 RESOLVE_IN_ROOT): a link cannot lead out. */
  statInRoot(root: string, path: string): Promise<PathStat | undefined>;
  /** The path without links, where dangling ones lead, too. Throws `invalid` for a loop. */
  resolvePath(root: string, path: string): Promise<string>;
  /** A tar stream of the file or directory, its own name first, as in GET /containers/x/archive. */
  readArchive(root: string, path: string): Promise<{ stat: PathStat; stream: NodeJS.ReadableStream }>;
  /**
   * Unpacks a tar into an existing directory. The memory of the stream's chunks may be freed once they are written.
   * @param options.owner `user[:group]`, resolved with the root's own files: owns all entries, whatever the archive
   * says
   */
  writeArchive(
    root: string,
    path: string,
    stream: NodeJS.ReadableStream,
    options: { noOverwriteDirNonDir: boolean; owner?: string | undefined },
  ): Promise<void>;
  /**
   * Creates a directory and its missing parents, owned by root, also where a dangling link leads inside the root; throws
   * with Docker's message when a file is in the way.
   */
  makeFolder(root: string, path: string): Promise<void>;
  /** The whole tree, for export. */
  exportTree(root: string): Promise<NodeJS.ReadableStream>;
  /** Copies the image's files at the mount point to a new volume. */
  copyTree(root: string, path: string, destination: string): Promise<void>;
}

export interface HeldRoot {
  /** Valid for this process only, and until the container's ends. */
  root: string;
  close(): void;
}

/** A volume, bind mount or network file of a stopped container. */
export interface ViewMount {
  source: string;
  /** Absolute, inside the container. */
  target: string;
  readOnly: boolean;
}

export interface PathStat {
  name: string;
  size: number;
  /** Go's os.FileMode bits, as in the X-Docker-Container-Path-Stat header. */
  mode: number;
  modified: bigint;
  linkTarget: string;
}
