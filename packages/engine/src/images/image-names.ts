/** Names of images in the store: putting them on, moving them, telling of it. A name belongs to one image only. */
import type { Clock } from '@netyard/core';
import type { EventStream } from '../contract.ts';
import type { ImageRecord } from '../model.ts';
import type { ImageStore } from '../ports.ts';
import { withDigestName, withoutName, withTag } from './image-record.ts';

export class ImageNames {
  readonly #store: ImageStore;
  readonly #events: Pick<EventStream, 'publish'>;
  readonly #clock: Clock;

  constructor(parts: { store: ImageStore; events: Pick<EventStream, 'publish'>; clock: Clock }) {
    this.#store = parts.store;
    this.#events = parts.events;
    this.#clock = parts.clock;
  }

  /** The image that has a name, in its familiar form. */
  holder(name: string): ImageRecord | undefined {
    return this.#store.images().find((image) => image.tags.includes(name) || image.digests.includes(name));
  }

  /** Stores an image; one that is there keeps its names. */
  put(record: ImageRecord): ImageRecord {
    const present = this.#store.images().find(({ id }) => id === record.id);
    const stored = present
      ? { ...record, tags: present.tags, digests: present.digests, lastTagged: present.lastTagged }
      : record;
    this.#store.putImage(stored);
    return stored;
  }

  /** As `assignTag`, with the event `tag`. */
  tag(id: string, name: string): ImageRecord | undefined {
    const before = this.assignTag(id, name);
    this.tell('tag', id, name);
    return before;
  }

  /** Puts `name:tag` on an image, taking it from another; returns the other one. */
  assignTag(id: string, name: string): ImageRecord | undefined {
    const before = this.#take(id, name);
    this.#change(id, (record) => withTag(record, name, this.#clock.now()));
    return before;
  }

  /** Puts `name@digest` on an image, taking it from another. */
  addDigest(id: string, name: string): void {
    this.#take(id, name);
    this.#change(id, (record) => withDigestName(record, name));
  }

  untag(id: string, name: string): void {
    this.#change(id, (record) => withoutName(record, name));
    this.tell('untag', id, name);
  }

  tell(action: string, id: string, name: string): void {
    const labels = this.#store.images().find((image) => image.id === id)?.config.labels ?? {};
    this.#events.publish({ type: 'image', action, actorId: id, attributes: { ...labels, name } });
  }

  #take(id: string, name: string): ImageRecord | undefined {
    const before = this.holder(name);
    if (before === undefined || before.id === id) return undefined;
    this.#store.putImage(withoutName(before, name));
    return before;
  }

  #change(id: string, change: (record: ImageRecord) => ImageRecord): void {
    const record = this.#store.images().find((image) => image.id === id);
    if (record) this.#store.putImage(change(record));
  }
}
