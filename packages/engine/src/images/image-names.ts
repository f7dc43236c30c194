/** Names of images in the store: assigns and moves them and emits the events. A name refers to one image only. */
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

  /** The image with this name, in its familiar form. */
  holder(name: string): ImageRecord | undefined {
    return this.#store.images().find((image) => image.tags.includes(name) || image.digests.includes(name));
  }

  /** Stores an image; an existing one keeps its names. */
  put(record: ImageRecord): ImageRecord {
    const present = this.#store.images().find(({ id }) => id === record.id);
    const stored = present
      ? { ...record, tags: present.tags, digests: present.digests, lastTagged: present.lastTagged }
      : record;
    this.#store.putImage(stored);
    return stored;
  }

  /** Like `assignTag`, and emits the event `tag`. */
  tag(id: string, name: string): ImageRecord | undefined {
    const before = this.assignTag(id, name);
    this.emit('tag', id, name);
    return before;
  }

  /** Assigns `name:tag` to an image; returns the image that had it before. */
  assignTag(id: string, name: string): ImageRecord | undefined {
    const before = this.#take(id, name);
    this.#change(id, (record) => withTag(record, name, this.#clock.now()));
    return before;
  }

  /** Assigns `name@digest` to an image, and removes it from any other. */
  addDigest(id: string, name: string): void {
    this.#take(id, name);
    this.#change(id, (record) => withDigestName(record, name));
  }

  untag(id: string, name: string): void {
    this.#change(id, (record) => withoutName(record, name));
    this.emit('untag', id, name);
  }

  emit(action: string, id: string, name: string): void {
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
