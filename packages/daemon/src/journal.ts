/** Opens the journal of network changes and repairs below the data root. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { type Logger, messageOf, systemClock } from '@netyard/core';
import type { JournalReader } from '@netyard/docker-api';
import {
  DropRecorder,
  type DropSource,
  Journal,
  Recorder,
  StateFiles,
  type StatePrinter,
  StateRecorder,
} from '@netyard/journal';
import {
  describeObject,
  identityOf,
  type KernelObject,
  observeNetworkState,
  openDropCounter,
  parseElements,
  printCommands,
  readLinkNames,
} from '@netyard/kernel';
import type { Networks } from '@netyard/sandbox';
import type { DaemonConfig } from './config.ts';

export interface OpenedJournal {
  reader: JournalReader;
  recorder: Recorder;
  /** Whose containers' plans are part of the recorded states. Called before any event. */
  follow(networks: Networks): void;
  /** Ends the recording, and writes what is in memory. */
  close(): Promise<void>;
}

const printer: StatePrinter = { describe: describeObject, printCommands, identify: identityOf, parseElements };

const dropSource: DropSource = {
  open: openDropCounter,
  inodeOf: (path) => statSync(path, { throwIfNoEntry: false })?.ino,
  linkNames: readLinkNames,
};

/** Undefined if it is switched off or cannot be opened, which is logged: the daemon works without. */
export function openJournal({ dataRoot, journal: limits }: DaemonConfig, logger: Logger): OpenedJournal | undefined {
  if (!limits) return undefined;
  const folder = join(dataRoot, 'journal');
  const clock = systemClock;
  let networks: Networks | undefined;
  let drops: DropRecorder | undefined;
  try {
    const journal = new Journal({ folder, ...limits, clock, logger });
    const { maximumBytes, maximumAge } = limits;
    const files = new StateFiles(join(folder, 'states'), {
      maximumBytes,
      maximumAge: BigInt(maximumAge) * 1_000_000_000n,
    });
    const explain = (id: string): readonly KernelObject[] | undefined => explainOwn(networks, id);
    const states = new StateRecorder({ files, observe: observeNetworkState, explain, printer, clock, logger });
    const note: Journal['note'] = (entry) => journal.note(entry);
    const recorder = new Recorder({ note, states, printer, clock, logger });
    return {
      reader: { read: (query) => journal.read(query), diff: (from, to) => states.diff(from, to) },
      recorder,
      follow(followed) {
        networks = followed;
        drops = new DropRecorder({ source: dropSource, networks, note, clock, logger });
      },
      async close() {
        await drops?.close();
        recorder.close();
        await states.close();
        await journal.close();
      },
    };
  } catch (error) {
    logger.warn('network changes and repairs are not recorded', { error: messageOf(error) });
    return undefined;
  }
}

/** Undefined for containers without a namespace of their own. */
function explainOwn(networks: Networks | undefined, id: string): readonly KernelObject[] | undefined {
  const state = networks?.state(id);
  if (networks === undefined || state?.netnsPath === undefined || state.sharedWith !== undefined) return undefined;
  return networks.explain(id).objects;
}
