/** Settings and system calls that the daemon passes to the engine. Types only. */

export type LogDriver = 'json-file' | 'local' | 'none';

/** Settings from the daemon's flags; one frozen value. */
export interface EngineSettings {
  /** Survives a reboot: container directories, logs, volumes. */
  dataRoot: string;
  /** Lost at reboot: output files and FIFOs of running containers. */
  execRoot: string;
  /** Parent cgroup of containers, such as `/netyard`. */
  cgroupParent: string;
  cgroupVersion: '1' | '2';
  /** `--log-driver`, `--log-opt`. */
  logDriver: LogDriver;
  logOptions: Record<string, string>;
  /** `--shutdown-timeout` and the default of `docker stop`. */
  stopTimeoutSeconds: number;
  /** `--default-shm-size`, bytes. */
  shmSize: number;
  storageDriver: string;
}

/** File operations that node:fs lacks; the kernel package's functions of the same names. */
export interface PipeFiles {
  makeFifo(path: string, mode?: number): void;
  /** Never blocks on the other side; see fifo(7). */
  openFifo(path: string, way: 'read' | 'write' | 'both'): number;
}
