/** Limits of the relay: descriptors are shared with the rest of the daemon, and memory is bounded per connection. */
import { readFileSync } from 'node:fs';

/** Read from one socket before others have their turn; what the other end does not accept of it is held in memory. */
export const chunkBytes = 32 * 1024;

/** A UDP session without a datagram ends after this time, as in docker-proxy. */
export const sessionIdleMs = 90_000;

export interface RelayLimits {
  connections: number;
  /** So that the clients of one port leave connections and sessions for others. */
  connectionsPerPort: number;
  sessions: number;
  sessionsPerPort: number;
}

/** Up to a quarter of the descriptors: a connection has two, a session one. Pure. */
export function limitsFor(maxOpenFiles: number): RelayLimits {
  const connections = Math.min(2048, Math.floor(maxOpenFiles / 12));
  const perPort = Math.max(1, Math.floor((connections * 3) / 4));
  return { connections, connectionsPerPort: perPort, sessions: connections, sessionsPerPort: perPort };
}

/** The soft limit of this process. */
export function readMaxOpenFiles(): number {
  const found = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
  return found ? Number(found[1]) : Number.POSITIVE_INFINITY; // "unlimited"
}
