/**
 * struct epoll_event of epoll_ctl(2): a mask of events, and a number of the caller's by which it recognizes the descriptor.
 * Constants of linux/eventpoll.h.
 */

export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_DEL = 2;
export const EPOLL_CTL_MOD = 3;
export const EPOLLIN = 0x1;
export const EPOLLOUT = 0x4;
export const EPOLLERR = 0x8;
export const EPOLLHUP = 0x10;
export const EPOLLONESHOT = 1 << 30;

/** Bytes; packed on x86-64 only. */
export const epollEventSize = process.arch === 'x64' ? 12 : 16;
const keyOffset = epollEventSize - 8;
const isLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** @param key 32 bits */
export function encodeEpollEvent(events: number, key: number): Uint8Array {
  const event = new Uint8Array(epollEventSize);
  const view = new DataView(event.buffer);
  view.setUint32(0, events, isLittleEndian);
  view.setUint32(keyOffset, key, isLittleEndian);
  return event;
}

/** Of the event at `index` of an array that epoll_wait(2) has filled. */
export const epollEventsAt = (array: DataView, index: number): number =>
  array.getUint32(index * epollEventSize, isLittleEndian);
export const epollKeyAt = (array: DataView, index: number): number =>
  array.getUint32(index * epollEventSize + keyOffset, isLittleEndian);
