/** Public API of the metrics package. */
export { Activity, type NetworkAction } from './activity.ts';
export type { TaskUsage } from './container-families.ts';
export type { EngineFacts } from './engine-families.ts';
export { type ListedContainer, type MetricsSources, Scraper } from './scrape.ts';
export { createMetricsServer } from './server.ts';
export { timeNetworks } from './timed-networks.ts';
