export * from './fake-kernel.ts';
export * from './golden.ts';
export * from './netns.ts';
