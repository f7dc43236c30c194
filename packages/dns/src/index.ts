/** Public API of the dns package. */
export { type Decision, decideAnswer, type KnownName, type NameSource } from './answer.ts';
export { type AskedNetwork, type Asker, findEndpoints, findName } from './asker.ts';
export { EndpointIndex, type EndpointNames } from './endpoint-names.ts';
export { Forwarder, type ForwarderOptions, type Upstreams } from './forwarder.ts';
export { bareAnswer, dnsPort, isFailure, type Question, rcodes } from './message.ts';
export { fullName, isValidRemoteName, type RemoteName } from './name.ts';
export { NameIndex } from './name-index.ts';
export { type Answerer, NameServer, type NameServerOptions } from './name-server.ts';
export { ServerHealth } from './server-health.ts';
export type { OpenSocket, Transport } from './upstream-query.ts';
