/** Public API of docker-api. */

export { failCurrentRequest } from './http/request-scope.ts';
export type { ApiOptions, DaemonInfo, ShellPrinter } from './options.ts';
export { createApiServer } from './server.ts';
