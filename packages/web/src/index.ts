/** Public API of web: the server of the topology page. */

export type * from '@netyard/page';
export { hostNames, loopbackHosts, type OwnAddresses } from './access.ts';
export type { FeedMessage } from './feed.ts';
export { openFeed, openQueries, type PageSources, type PageTracer } from './open.ts';
export { type PageFile, readPageFiles } from './page-files.ts';
export { createWebServer, type WebServerOptions } from './server.ts';
export { type IssuedToken, Sessions } from './sessions.ts';
