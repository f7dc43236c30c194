export * from './fake-kernel.ts';
export * from './golden.ts';
export * from './netns.ts';
export * from './probes.ts';
export { parseScrape, type ScrapedFamily, type ScrapedSeries } from './prometheus.ts';
export * from './threads.ts';
export * from './trees/describe-tree.ts';
export * from './trees/make-tree.ts';
export * from './trees/random.ts';
