/**
 * A connection to containerd: one typed client per gRPC service, all over one HTTP/2 session on its socket.
 *
 * The session is opened by the first call, and again by the first call after containerd was down; calls in progress
 * when it goes down fail with `unavailable`. Makes no decisions about containers.
 */
import { connect as connectSocket } from 'node:net';
import type { DescService } from '@bufbuild/protobuf';
import { type Client, Code, ConnectError, createClient, type Interceptor } from '@connectrpc/connect';
import { createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node';
import { NetyardError } from '@netyard/core';
import { Containers } from './gen/containers_pb.ts';
import { Content } from './gen/content_pb.ts';
import { Events } from './gen/events_pb.ts';
import { Tasks } from './gen/tasks_pb.ts';
import { Version } from './gen/version_pb.ts';

export interface ContainerdConnection {
  /** Path of the unix socket. */
  socket: string;
  /** containerd's namespace: objects in other namespaces are not visible. */
  namespace: string;
}

export interface ContainerdClient extends ContainerdConnection {
  readonly containers: Client<typeof Containers>;
  readonly tasks: Client<typeof Tasks>;
  readonly content: Client<typeof Content>;
  readonly events: Client<typeof Events>;
  readonly version: Client<typeof Version>;
  /** Ends the session and all calls in progress. */
  close(): void;
}

/** Opens nothing yet. Failed calls throw ConnectErrors: see `containerdError`. */
export function connectContainerd(connection: ContainerdConnection): ContainerdClient {
  const baseUrl = 'http://containerd';
  const session = new Http2SessionManager(
    baseUrl,
    {},
    {
      createConnection: () => connectSocket(connection.socket),
      settings: { initialWindowSize: 1 << 20 },
      // blobs are transferred in messages of a megabyte: above Node's default of 10 MB for all streams it resets them
      // (ENHANCE_YOUR_CALM)
      maxSessionMemory: 512,
    },
  );
  const addNamespace: Interceptor = (next) => (request) => {
    request.header.set('containerd-namespace', connection.namespace);
    return next(request);
  };
  const transport = createGrpcTransport({
    baseUrl,
    sessionManager: session,
    interceptors: [addNamespace],
    acceptCompression: [],
  });
  const client = <T extends DescService>(service: T): Client<T> => createClient(service, transport);
  return {
    ...connection,
    containers: client(Containers),
    tasks: client(Tasks),
    content: client(Content),
    events: client(Events),
    version: client(Version),
    close: () => session.abort(new ConnectError('the connection was closed', Code.Canceled)),
  };
}

/** The gRPC status of a failed call; undefined for any other error. */
export const statusOf = (error: unknown): Code | undefined => (error instanceof ConnectError ? error.code : undefined);

export const isNotFound = (error: unknown): boolean => statusOf(error) === Code.NotFound;
export const isAlreadyExists = (error: unknown): boolean => statusOf(error) === Code.AlreadyExists;

/** Whether the call failed because containerd is not running (any more), so that it may succeed later. */
export function isUnavailable(error: unknown): boolean {
  if (!(error instanceof ConnectError)) return false;
  // Canceled: calls are never canceled here; a stream may end with it when its session breaks.
  if ([Code.Unavailable, Code.Aborted, Code.Canceled].includes(error.code)) return true;
  return causeCodes(error).some((code) => brokenCodes.includes(code) || code.startsWith('ERR_HTTP2'));
}

/** Whether the connection was refused: the call had no effect and may be repeated. */
export function wasNeverSent(error: unknown): boolean {
  return causeCodes(error).some((code) => code === 'ENOENT' || code === 'ECONNREFUSED');
}

const brokenCodes = ['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE'];

function causeCodes(error: unknown): string[] {
  if (!(error instanceof Error)) return [];
  const own = 'code' in error && typeof error.code === 'string' ? [error.code] : [];
  return [...own, ...causeCodes(error.cause)];
}

/** Converts the error of a failed call to a NetyardError. `doing` names the operation: `create the task of X`. */
export function containerdError(error: unknown, doing: string): NetyardError {
  if (error instanceof NetyardError) return error;
  if (isUnavailable(error)) {
    return new NetyardError('unavailable', `cannot ${doing}: containerd does not respond`, {
      hint: 'read the log of containerd; the daemon restarts its own containerd, one given with --containerd is yours to start',
      cause: error,
    });
  }
  if (!(error instanceof ConnectError)) {
    return new NetyardError('internal', `${doing}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  return new NetyardError(codeOf(error.code), `${doing}: ${error.rawMessage}`, { cause: error });
}

function codeOf(status: Code): 'not-found' | 'conflict' | 'invalid' | 'failed' {
  if (status === Code.NotFound) return 'not-found';
  if (status === Code.AlreadyExists || status === Code.FailedPrecondition) return 'conflict';
  if (status === Code.InvalidArgument) return 'invalid';
  return 'failed';
}
