/** Public API of the daemon: runs `netyard daemon`, and provides its flags to shell completion. */
import type { runDaemon as RunDaemon } from './main.ts';
import type { recoverDataRoot as RecoverDataRoot } from './recover.ts';

export { daemonCommand } from './flags.ts';

/** Loads the engine only to run it, not to read the flags. */
/** `netyard system recover`: only while the daemon is down. */
export const recoverDataRoot: typeof RecoverDataRoot = async (...args) =>
  await (await import('./recover.ts')).recoverDataRoot(...args);

export const runDaemon: typeof RunDaemon = async (...args) => await (await import('./main.ts')).runDaemon(...args);
