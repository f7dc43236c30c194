/** What the main thread and the relay thread exchange. Types only. */
import type { RelayTarget } from '../../contract.ts';

export type RelayCommand =
  /** `fd` is a bound socket, which the thread closes. `open` with a known id changes the target. */
  | { action: 'open'; id: number; fd: number; protocol: 'tcp' | 'udp'; target: RelayTarget }
  | { action: 'close'; id: number }
  | { action: 'end' };

/** The `workerData` of the thread. */
export interface RelayThreadData {
  /** An eventfd that becomes readable when commands were sent. */
  wakeUp: number;
}
