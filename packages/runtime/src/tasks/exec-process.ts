/** `planExec`: an exec process in a running container as the process part of the OCI specification. Pure. */
import type { ExecSpec } from '@netyard/engine';
import type { OciProcess } from '../oci.ts';
import { withHome } from '../spec/plan.ts';
import type { ProcessUser } from '../spec/user.ts';

/** @param container the container's main process @param available the most that a privileged one may have */
export function planExec(
  spec: ExecSpec,
  container: OciProcess,
  user: ProcessUser,
  available: readonly string[],
): OciProcess {
  const bounding = spec.privileged ? [...available] : container.capabilities.bounding;
  const held = user.uid === 0 ? bounding : [];
  return {
    terminal: spec.tty,
    ...(spec.tty && spec.consoleSize
      ? { consoleSize: { height: spec.consoleSize[0], width: spec.consoleSize[1] } }
      : {}),
    user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids },
    args: spec.args,
    env: withHome(spec.env, user.home),
    cwd: spec.workingDirectory || '/',
    capabilities: { bounding, effective: held, permitted: held },
    noNewPrivileges: container.noNewPrivileges,
    ...(container.rlimits ? { rlimits: container.rlimits } : {}),
    ...(container.oomScoreAdj === undefined ? {} : { oomScoreAdj: container.oomScoreAdj }),
  };
}
