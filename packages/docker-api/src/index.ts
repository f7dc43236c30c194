/** The door of docker-api. */
export type { ApiOptions, DaemonInfo, ShellPrinter } from './options.ts';
export { createApiServer } from './server.ts';
