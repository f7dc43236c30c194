/** Public API of the daemon: runs `netyard daemon`, and provides its flags to shell completion. */
import type { inspectDataRoot as InspectDataRoot } from './inspect.ts';
import type { runDaemon as RunDaemon } from './main.ts';
import type { recoverDataRoot as RecoverDataRoot } from './recover.ts';

export { daemonCommand } from './flags.ts';

// The functions below load the engine only when they are called, not to read the flags.

/** `netyard system recover`. */
export const recoverDataRoot: typeof RecoverDataRoot = async (...args) =>
  await (await import('./recover.ts')).recoverDataRoot(...args);

/** `netyard doctor`. */
export const inspectDataRoot: typeof InspectDataRoot = async (...args) =>
  await (await import('./inspect.ts')).inspectDataRoot(...args);

export const runDaemon: typeof RunDaemon = async (...args) => await (await import('./main.ts')).runDaemon(...args);
