/** The door of the daemon: `netyard daemon` comes in here, and shell completion looks at its flags. */
import type { runDaemon as RunDaemon } from './main.ts';
import type { recoverDataRoot as RecoverDataRoot } from './recover.ts';

export { daemonCommand } from './flags.ts';

/** The engine is loaded when it is to run, not by whoever looks at the flags. */
/** `netyard system recover`: only while the daemon is down. */
export const recoverDataRoot: typeof RecoverDataRoot = async (...args) =>
  await (await import('./recover.ts')).recoverDataRoot(...args);

export const runDaemon: typeof RunDaemon = async (...args) => await (await import('./main.ts')).runDaemon(...args);
