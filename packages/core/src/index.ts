export * from './archive-limits.ts';
export * from './boolean.ts';
export * from './capabilities.ts';
export * from './clock.ts';
export * from './compression.ts';
export * from './errors.ts';
export * from './ids.ts';
export * from './ip.ts';
export * from './json-names.ts';
export * from './log.ts';
export * from './mac.ts';
export * from './masked-paths.ts';
export * from './ownership.ts';
export { type CaptureFacts, encodeCapture } from './pcapng/capture-file.ts';
export * from './prefix-index.ts';
export * from './queue.ts';
export * from './tar/byte-text.ts';
export { isTarHeader } from './tar/decode.ts';
export { encodeEnd, encodeHeader, encodePadding } from './tar/encode.ts';
export {
  blockSize as tarHeaderLength,
  memberPath,
  type Segment,
  type TarHeader,
  type TarType,
  tarHeader,
} from './tar/header.ts';
export { type Piece, type TarEntry, type TarObserver, tarEntries } from './tar/read.ts';
export * from './thread-jobs.ts';
export * from './thread-pool.ts';
export * from './time-slice.ts';
export * from './undo.ts';
