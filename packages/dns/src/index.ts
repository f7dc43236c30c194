/** Public API of the dns package. */
export { type Decision, decideAnswer } from './answer.ts';
export { Forwarder, type ForwarderOptions, type Transport } from './forwarder.ts';
export { bareAnswer, dnsPort, rcodes } from './message.ts';
export { fullName, isValidRemoteName, type RemoteName } from './name.ts';
export { NameIndex } from './name-index.ts';
export { type Answerer, NameServer, type NameServerOptions } from './name-server.ts';
