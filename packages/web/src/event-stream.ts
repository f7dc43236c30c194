/**
 * One tab's stream of server-sent events (HTML standard, section 9.2). While a reader is slow, nothing is queued for it:
 * rates are dropped, and a patch that it misses is replaced by a snapshot once it reads again.
 */
import type { Writable } from 'node:stream';
import type { FeedMessage } from './feed.ts';

const HEARTBEAT_MS = 15_000;
/** A reader that takes nothing for this long is disconnected. */
const STALL_MS = 60_000;

/** The feed, as far as a stream uses it. */
export interface StreamedFeed {
  listen(listener: (message: FeedMessage) => void): () => void;
  snapshot(): FeedMessage | undefined;
}

export const formatEvent = ({ event, data }: FeedMessage): string => `event: ${event}\ndata: ${data}\n\n`;

/** Writes to `sink` until it closes. @param isAllowed asked at each heartbeat: whether the session is still open */
export function streamEvents(sink: Writable, feed: StreamedFeed, isAllowed: () => boolean): void {
  let isBlocked = false;
  let missed = false;
  let stall: NodeJS.Timeout | undefined;
  const write = (text: string): void => {
    isBlocked = !sink.write(text);
    if (isBlocked) stall ??= setTimeout(() => sink.destroy(), STALL_MS);
  };
  const send = (message: FeedMessage): void => {
    if (!isBlocked) write(formatEvent(message));
    else if (message.event !== 'rates') missed = true;
  };
  sink.on('drain', () => {
    isBlocked = false;
    clearTimeout(stall);
    stall = undefined;
    const snapshot = missed ? feed.snapshot() : undefined;
    missed = false;
    if (snapshot !== undefined) write(formatEvent(snapshot));
  });
  const heartbeat = setInterval(() => {
    if (!isAllowed()) sink.end();
    else if (!isBlocked) write(': heartbeat\n\n');
  }, HEARTBEAT_MS);
  const end = feed.listen(send);
  sink.on('close', () => {
    end();
    clearInterval(heartbeat);
    clearTimeout(stall);
  });
  sink.on('error', () => sink.destroy());
}
