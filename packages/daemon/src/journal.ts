/** Opens the journal of network changes and repairs below the data root. */
import { join } from 'node:path';
import { type Logger, messageOf, systemClock } from '@netyard/core';
import { Journal, Recorder } from '@netyard/journal';
import { describeObject, printCommands } from '@netyard/kernel';
import type { DaemonConfig } from './config.ts';

export interface OpenedJournal {
  journal: Journal;
  recorder: Recorder;
  /** Ends the recording, and writes what is in memory. */
  close(): Promise<void>;
}

/** Undefined if it is switched off or cannot be opened, which is logged: the daemon works without. */
export function openJournal({ dataRoot, journal: limits }: DaemonConfig, logger: Logger): OpenedJournal | undefined {
  if (!limits) return undefined;
  try {
    const journal = new Journal({ folder: join(dataRoot, 'journal'), ...limits, clock: systemClock, logger });
    const printer = { describe: describeObject, printCommands };
    const recorder = new Recorder({ note: (entry) => journal.note(entry), printer, clock: systemClock, logger });
    return {
      journal,
      recorder,
      async close() {
        recorder.close();
        await journal.close();
      },
    };
  } catch (error) {
    logger.warn('network changes and repairs are not recorded', { error: messageOf(error) });
    return undefined;
  }
}
