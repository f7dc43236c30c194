/** The door of api-types: the JSON of the Docker Engine API and of Netyard's own routes, as types and nothing else. */
export type * from './cluster.ts';
export type * from './container.ts';
export type * from './exec.ts';
export type * from './image.ts';
export type * from './network.ts';
export type * from './netyard.ts';
export type * from './system.ts';
export type * from './volume.ts';
