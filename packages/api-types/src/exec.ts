/** Exec of the Docker Engine API: further processes in a running container. Types only. */
import type { execCreate, execStart } from './fields/exec.ts';
import type { Input } from './fields/shape.ts';

/** POST /containers/{id}/exec */
export type ExecCreateRequest = Input<typeof execCreate>;

export interface ExecCreateResponse {
  Id: string;
}

/** POST /exec/{id}/start */
export type ExecStartRequest = Input<typeof execStart>;

/** GET /exec/{id}/json */
export interface ExecInspect {
  ID: string;
  Running: boolean;
  ExitCode: number | null;
  ProcessConfig: {
    tty: boolean;
    entrypoint: string;
    arguments: string[];
    privileged: boolean;
    user?: string;
  };
  OpenStdin: boolean;
  OpenStderr: boolean;
  OpenStdout: boolean;
  CanRemove: boolean;
  ContainerID: string;
  DetachKeys: string;
  Pid: number;
}
