export * from './fake-kernel.ts';
export * from './netns.ts';
