/**
 * Public API of api-types: types of the JSON of the Docker Engine API and of Netyard's own routes, and the field tables
 * (plain data) from which the types of requests are inferred.
 */
export type * from './cluster.ts';
export type * from './container.ts';
export type * from './exec.ts';
export { type ClientFlag, clientFlags } from './fields/client-flags.ts';
export { bodiesOf, flagsOf, type PlacedField, placedFields } from './fields/commands.ts';
export { containerConfig, containerCreate } from './fields/container.ts';
export { endpointRequest, endpointState, networkConnect, networkDisconnect } from './fields/endpoint.ts';
export { execCreate, execStart } from './fields/exec.ts';
export { hostConfig, portsRequest } from './fields/host-config.ts';
export { networkCreate } from './fields/network.ts';
export { type FlagEntry, flagEntry, type RequestObject, requestObjects } from './fields/objects.ts';
export { containerUpdate, resources } from './fields/resources.ts';
export type * from './fields/shape.ts';
export { flag, list, text, zero } from './fields/shape.ts';
export { volumeCreate } from './fields/volume.ts';
export type * from './image.ts';
export type * from './network.ts';
export type * from './netyard.ts';
export type * from './system.ts';
export type * from './volume.ts';
