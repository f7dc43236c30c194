/** Public API of web: the server of the topology page. */

export type * from '@netyard/page';
export { hostNames, loopbackHosts, type OwnAddresses } from './access.ts';
export type { FeedMessage } from './feed.ts';
export { openFeed, openQueries, type PageCommands, type PageSources } from './open.ts';
export { type PageFile, readPageFiles } from './page-files.ts';
export type { RemoteContainer, RemoteHost } from './remote-hosts.ts';
export { createWebServer, type WebServerOptions } from './server.ts';
export { type IssuedToken, Sessions } from './sessions.ts';
