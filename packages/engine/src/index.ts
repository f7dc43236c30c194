export type { EngineSettings, PipeFiles } from './context.ts';
export * from './contract.ts';
export { type EngineOptions, type ImageNeighbours, openEngine } from './engine.ts';
export type { EventLog } from './events/event-log.ts';
export * from './model.ts';
export * from './ports.ts';
export { createImageService, type Images, type ImageServiceParts } from './images/image-service.ts';
export type { ImageUse } from './images/removal.ts';
