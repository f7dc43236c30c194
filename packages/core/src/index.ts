export * from './clock.ts';
export * from './errors.ts';
export * from './ids.ts';
export * from './ip.ts';
export * from './log.ts';
export * from './mac.ts';
export * from './queue.ts';
export * from './undo.ts';
