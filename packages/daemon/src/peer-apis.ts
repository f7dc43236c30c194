/**
 * Queries other hosts' daemons about their containers, over TLS with certificates on both sides, and follows their
 * events: one stream for each peer, reconnected with increasing delays. Makes no decisions about links.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { createSecureContext } from 'node:tls';
import { DaemonError, type NetyardClient, openClient } from '@netyard/client';
import { isNetyardError, type Logger, messageOf, NetyardError } from '@netyard/core';
import type { PeerApi } from '@netyard/peers';
import type { PeerApis, PeerContainers, RemoteName } from '@netyard/sandbox';
import { unanswered } from './peer-errors.ts';

/** Timeout of one query, and of opening the stream. */
const answerMilliseconds = 5000;
/** TCP keepalive detects a peer that vanished, within about 15 seconds. */
const probeMilliseconds = 5000;
const pauseMilliseconds = { first: 200, longest: 5000 };
/** After these events a container may have another address, or another container its name. */
const events = ['start', 'die', 'destroy', 'rename', 'connect', 'disconnect'];

export function openPeerApis(logger: Logger): PeerApis {
  return {
    check: (api) => checkFiles(api, { ca: '--api-ca', certificate: '--api-cert', key: '--api-key' }),
    open: (peer, api) => new FollowedPeer(peer, api, logger),
  };
}

type ApiFiles = Omit<PeerApi, 'url'>;

/** Throws `invalid`, naming the flags. The key gives access to the other host: only root may read it. */
export function checkFiles({ ca, certificate, key }: ApiFiles, flags: ApiFiles): void {
  const { uid, mode } = inspect(key, flags.key);
  if (uid !== 0 || (mode & 0o077) !== 0)
    throw new NetyardError('invalid', `users other than root can read the key ${key}`, {
      hint: `chown root ${key}; chmod 600 ${key}`,
    });
  const files = { ca: read(ca, flags.ca), cert: read(certificate, flags.certificate), key: read(key, flags.key) };
  try {
    new X509Certificate(files.ca); // not checked below
    createSecureContext(files);
  } catch (cause) {
    throw new NetyardError('invalid', `${ca}, ${certificate} and ${key} cannot be used: ${messageOf(cause)}`, {
      hint: 'use PEM files, and the key of the certificate',
      cause,
    });
  }
}

function inspect(path: string, flag: string): { uid: number; mode: number } {
  try {
    return statSync(path);
  } catch (cause) {
    throw new NetyardError('invalid', `${flag}: ${messageOf(cause)}`, { cause });
  }
}

function read(path: string, flag: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new NetyardError('invalid', `${flag}: ${messageOf(cause)}`, { cause });
  }
}

class FollowedPeer implements PeerContainers {
  readonly api: PeerApi;
  readonly #peer: string;
  readonly #logger: Logger;
  readonly #client: NetyardClient;
  readonly #listeners = new Set<() => void>();
  readonly #end = new AbortController();
  #following = false;

  constructor(peer: string, api: PeerApi, logger: Logger) {
    this.#peer = peer;
    this.api = api;
    this.#logger = logger;
    const { url, ca, certificate, key } = api;
    this.#client = openClient({ host: url, tls: { enabled: true, verify: true, ca, cert: certificate, key }, env: {} });
  }

  async find(ref: string): Promise<RemoteName | undefined> {
    try {
      const signal = AbortSignal.any([this.#end.signal, AbortSignal.timeout(answerMilliseconds)]);
      const { Id, Name, NetworkSettings } = await this.#client.containers.inspect(ref, { signal });
      const name = Name.replace(/^\//, '');
      if (Id !== ref && name !== ref) return undefined; // found by an id prefix
      const address = NetworkSettings.Networks['bridge']?.IPAddress ?? '';
      return { host: this.#peer, name, containerId: Id, address };
    } catch (error) {
      if (error instanceof DaemonError) {
        if (isNetyardError(error, 'not-found')) return undefined;
        throw error;
      }
      throw unanswered(this.#peer, this.api, error);
    }
  }

  changes(listener: () => void): () => void {
    this.#listeners.add(listener);
    if (!this.#following) void this.#follow();
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#end.abort();
    this.#client.close();
  }

  #notify(): void {
    for (const listener of this.#listeners) listener();
  }

  async #follow(): Promise<void> {
    this.#following = true;
    let wait = pauseMilliseconds.first;
    let isReported = false;
    while (!this.#end.signal.aborted) {
      const { opened, reason } = await this.#readEvents();
      if (this.#end.signal.aborted) return;
      if (opened) {
        wait = pauseMilliseconds.first;
        isReported = false;
      }
      if (!isReported)
        this.#logger.warn("a peer's API is unreachable; links to its containers are kept", {
          peer: this.#peer,
          reason,
        });
      isReported = true;
      await pause(wait, undefined, { signal: this.#end.signal }).catch(() => undefined); // closed meanwhile
      wait = Math.min(wait * 2, pauseMilliseconds.longest);
    }
  }

  /** Until the stream ends, for whatever reason. */
  async #readEvents(): Promise<{ opened: boolean; reason: string }> {
    const timeout = new AbortController();
    const timer = setTimeout(() => timeout.abort(), answerMilliseconds);
    let opened = false;
    try {
      const stream = this.#client.system.events({
        filters: { type: ['container', 'network'], event: events },
        signal: AbortSignal.any([this.#end.signal, timeout.signal]),
        opened: (connection) => {
          clearTimeout(timer);
          connection.setKeepAlive(true, probeMilliseconds);
          opened = true;
          this.#logger.info("following a peer's containers", { peer: this.#peer, api: this.api.url });
          this.#notify();
        },
      });
      for await (const _ of stream) this.#notify();
      return { opened, reason: 'its event stream ended' };
    } catch (error) {
      return { opened, reason: timeout.signal.aborted ? 'it does not respond' : messageOf(error) };
    } finally {
      clearTimeout(timer);
    }
  }
}
