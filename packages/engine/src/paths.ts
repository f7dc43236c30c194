/** Paths of the engine's files, as pure functions of the settings. */
import { join } from 'node:path';
import type { EngineSettings } from './settings.ts';

type Roots = Pick<EngineSettings, 'dataRoot' | 'execRoot'>;

/** hosts, hostname, resolv.conf, the log. */
export const containerDirectory = (roots: Roots, id: string): string => join(roots.dataRoot, 'containers', id);
export const containersDirectory = (roots: Roots): string => join(roots.dataRoot, 'containers');

/** Docker's file name, so that log shippers find it. */
export const logPath = (roots: Roots, id: string): string => join(containerDirectory(roots, id), `${id}-json.log`);
/** Where daemons before the FIFOs stored the log position. */
export const formerPositionPath = (roots: Roots, id: string): string =>
  join(containerDirectory(roots, id), 'output.position');

/** FIFOs and spool files of one running container. */
export const ioDirectory = (roots: Roots, id: string): string => join(roots.execRoot, 'containers', id);
export const ioDirectories = (roots: Roots): string => join(roots.execRoot, 'containers');

export type StreamName = 'stdin' | 'stdout' | 'stderr';
export const ioPath = (roots: Roots, id: string, stream: StreamName): string => join(ioDirectory(roots, id), stream);
/** Bytes read from the FIFO and waiting; see logs/spooled-stream.ts. */
export const spoolPath = (roots: Roots, id: string, stream: StreamName): string =>
  join(ioDirectory(roots, id), `${stream}.spool`);
/** The position up to which output is logged; see logs/position.ts. */
export const positionPath = (roots: Roots, id: string): string => join(ioDirectory(roots, id), 'position');
export const execIoPath = (roots: Roots, id: string, execId: string, stream: StreamName): string =>
  join(ioDirectory(roots, id), `exec-${execId}-${stream}`);

/** Where parts of volumes are mounted for a moment; see volumes/subpaths.ts. */
export const subpathsDirectory = (roots: Roots): string => join(roots.execRoot, 'subpaths');

export const volumesDirectory = (roots: Roots): string => join(roots.dataRoot, 'volumes');
export const volumeDirectory = (roots: Roots, name: string): string => join(volumesDirectory(roots), name);
/** Where a removed volume's directory is moved before it is deleted; no volume can have that name. */
export const removedVolumeDirectory = (roots: Roots, id: string): string =>
  join(volumesDirectory(roots), `.removed-${id}`);
export const isRemovedVolume = (entry: string): boolean => entry.startsWith('.removed-');
export const volumeMountpoint = (roots: Roots, name: string): string => join(volumeDirectory(roots, name), '_data');
