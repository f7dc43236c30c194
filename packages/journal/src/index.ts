/** Public API of the journal package. */
export type { JournalEntry, JournalQuery } from './entry.ts';
export { Journal, type JournalOptions } from './journal.ts';
export { Recorder, type RecorderOptions } from './recorder.ts';
