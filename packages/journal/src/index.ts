/** Public API of the journal package. */
export { DropRecorder, type DropSource } from './drops/drop-recorder.ts';
export type { JournalEntry, JournalQuery } from './entry.ts';
export { Journal, type JournalOptions } from './journal.ts';
export { Recorder, type RecorderOptions } from './recorder.ts';
export { diffStates } from './state/diff.ts';
export type { StateItem, StatePrinter } from './state/item.ts';
export { itemsOfHost } from './state/observed.ts';
export { StateFiles } from './state/state-files.ts';
export { type StateDifference, StateRecorder } from './state/state-recorder.ts';
