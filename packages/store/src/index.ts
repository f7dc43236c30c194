export { type RecoverReport, recoverState } from './recover.ts';
export { openDataRoot, openStore, type Store } from './store.ts';
