/** Public API of client: a typed client of the Docker Engine API and of Netyard's own routes. */
export { type AddressRequest, type DaemonAddress, defaultHost, parseAddress, resolveAddress } from './address.ts';
export type { Filters, PingResult } from './api.ts';
export type { CaptureCall } from './captures.ts';
export { type NetyardClient, openClient } from './client.ts';
export type { AttachCall, LogsCall } from './containers.ts';
export { DaemonError } from './errors.ts';
export { type CaptureHead, CaptureReader, type CaptureTail } from './pcapng.ts';
export { demultiplex, jsonLines, type OutputFrame, rawOutput } from './streams.ts';
export type { ExactEvent } from './system.ts';
export type { TraceCall } from './traces.ts';
export type { Hijacked } from './transport.ts';
export { compareVersions, newestApiVersion } from './version.ts';
