/** Settings and system calls that the daemon passes to the engine. Types only. */

/** Settings from the daemon's flags; one frozen value. */
export interface EngineSettings {
  /** Survives a reboot: container folders, logs, volumes. */
  dataRoot: string;
  /** Gone after a reboot: output files and FIFOs of running containers. */
  execRoot: string;
  /** cgroup that containers are made below, such as `/netyard`. */
  cgroupParent: string;
  cgroupVersion: '1' | '2';
  /** `--log-driver`, `--log-opt`. */
  logDriver: 'json-file' | 'none';
  logOptions: Record<string, string>;
  /** `--shutdown-timeout` and the default of `docker stop`. */
  stopTimeoutSeconds: number;
  /** `--default-shm-size`, bytes. */
  shmSize: number;
  storageDriver: string;
}

/** Files in ways that node:fs lacks; the kernel box's functions of the same names. */
export interface PipeFiles {
  makeFifo(path: string, mode?: number): void;
  /** Never waits for the other side; see fifo(7). */
  openFifo(path: string, way: 'read' | 'write' | 'both'): number;
}
