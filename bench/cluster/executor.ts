/** The commands of the cluster benchmark inside a lab host, and what carries them out. Types only. */
import type { SimulatedHost } from '../../packages/cluster/bench/simulated-members.ts';

export type Command =
  | { verb: 'join' | 'leave'; from: number; count: number }
  /** Writes a key that no daemon uses: etcd alone. */
  | { verb: 'echo' }
  /** Creates their routes with one `ip -batch`, and deletes them again. */
  | { verb: 'batch'; from: number; count: number }
  /** Lists and counts the routes. */
  | { verb: 'count' };

export interface Answer {
  /** Milliseconds, or a count. */
  figure: number;
  /** Milliseconds until etcd had answered all writes; 0 without etcd. */
  written: number;
}

/** What carries out the commands. All results but `count` are milliseconds. */
export interface Executor {
  join(hosts: readonly SimulatedHost[]): Promise<Answer>;
  leave(hosts: readonly SimulatedHost[]): Promise<Answer>;
  echo(): Promise<number>;
  batch(hosts: readonly SimulatedHost[]): Promise<number>;
  count(): Promise<number>;
  close(): Promise<void>;
}
