export * from './contract.ts';
export { plainConfig, unlimited } from './default-config.ts';
export { type EngineOptions, type ImageCallbacks, openEngine } from './engine.ts';
export type { EventLog } from './events/event-log.ts';
export { createImageService, type ImageServiceParts, type Images } from './images/image-service.ts';
export { formatPlatform, parsePlatform } from './images/platform.ts';
export * from './model.ts';
export * from './ports.ts';
export type { EngineSettings, PipeFiles } from './settings.ts';
