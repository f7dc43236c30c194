/**
 * One-time tokens, and the sessions that they are exchanged for. A session has two secrets: a cookie that scripts cannot
 * read, and a key that the page keeps for its own origin and sends as a header. Browsers send cookies to every port of a
 * host, so to every container that publishes one there; the key is sent to this server only.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock } from '@netyard/core';

const TOKEN_LIFETIME_S = 300n;
const SESSION_LIFETIME_S = 12n * 3600n;
const maximumTokens = 16;
const maximumSessions = 64;
const second = 1_000_000_000n;

export interface IssuedToken {
  token: string;
  /** Nanoseconds since 1970. */
  expires: bigint;
}

export interface OpenedSession {
  cookie: string;
  key: string;
}

interface Session {
  keyDigest: Buffer;
  expires: bigint;
}

const digestOf = (secret: string): Buffer => createHash('sha256').update(secret).digest();
const makeSecret = (): string => randomBytes(32).toString('base64url');

export class Sessions {
  readonly #clock: Pick<Clock, 'now'>;
  /** Both by digest, so that no lookup compares secrets; oldest first. */
  readonly #tokens = new Map<string, bigint>();
  readonly #sessions = new Map<string, Session>();

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
  }

  issueToken(): IssuedToken {
    const token = makeSecret();
    const expires = this.#clock.now() + TOKEN_LIFETIME_S * second;
    this.#tokens.set(digestOf(token).toString('hex'), expires);
    deleteOldest(this.#tokens, maximumTokens);
    return { token, expires };
  }

  /** Undefined for a token that was not issued, has expired or was exchanged before. */
  exchange(token: string): OpenedSession | undefined {
    const digest = digestOf(token).toString('hex');
    const expires = this.#tokens.get(digest);
    this.#tokens.delete(digest);
    if (expires === undefined || expires <= this.#clock.now()) return undefined;
    const opened = { cookie: makeSecret(), key: makeSecret() };
    const session = {
      keyDigest: digestOf(opened.key),
      expires: this.#clock.now() + SESSION_LIFETIME_S * second,
    };
    this.#sessions.set(digestOf(opened.cookie).toString('hex'), session);
    deleteOldest(this.#sessions, maximumSessions);
    return opened;
  }

  isOpen({ cookie, key }: OpenedSession): boolean {
    const digest = digestOf(cookie).toString('hex');
    const session = this.#sessions.get(digest);
    if (session === undefined) return false;
    if (session.expires > this.#clock.now()) return timingSafeEqual(session.keyDigest, digestOf(key));
    this.#sessions.delete(digest);
    return false;
  }
}

function deleteOldest(map: Map<string, unknown>, maximum: number): void {
  for (const key of map.keys()) {
    if (map.size <= maximum) return;
    map.delete(key);
  }
}

/** Values of a cookie in Cookie headers: `a=1; b=2`. Pure. */
export function cookieValues(headers: readonly string[], name: string): string[] {
  return headers
    .flatMap((header) => header.split(';'))
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1));
}
