export { inspectState, withStateCopy } from './inspect.ts';
export { type RecoverReport, recoverState } from './recover.ts';
export { makeRoom } from './reserve.ts';
export { openDataRoot, openStore, type Store } from './store.ts';
