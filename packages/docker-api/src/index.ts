/** Public API of docker-api. */

export { errorBody, statusOf } from './errors.ts';
export { failCurrentRequest } from './http/request-scope.ts';
export type {
  ApiOptions,
  DaemonInfo,
  HandledRequest,
  JournalReader,
  PageAccess,
  ServedFlow,
  ShellPrinter,
} from './options.ts';
export { captureFile } from './pcapng/capture-file.ts';
export { createApiServer } from './server.ts';
