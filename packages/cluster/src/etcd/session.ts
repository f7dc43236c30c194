/**
 * One connection to one etcd endpoint: typed clients of its gRPC services over one HTTP/2 session, plain or TLS, with
 * the token of a user if configured. The session ends at the first failure and does not reconnect: the caller opens a
 * new one, at another endpoint. Independent of clusters.
 */
import type { ClientHttp2Stream } from 'node:http2';
import { connect as connectSocket, isIP, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { type Client, Code, ConnectError, createClient, type Interceptor } from '@connectrpc/connect';
import { createGrpcTransport, type GrpcTransportOptions, Http2SessionManager } from '@connectrpc/connect-node';
import { etcdError, isAuthOff, isStaleToken } from './errors.ts';
import { Auth, KV, Lease, Watch } from './gen/rpc_pb.ts';
import { type EtcdEndpoint, type EtcdUser, formatEndpoint } from './url.ts';

type SessionManager = NonNullable<GrpcTransportOptions['sessionManager']>;

/** PEM texts. */
export interface EtcdTls {
  ca?: string;
  certificate?: string;
  key?: string;
}

export interface EtcdAccess {
  user?: EtcdUser;
  tls?: EtcdTls;
}

export interface EtcdSession {
  /** `172.16.2.101:2379` */
  readonly endpoint: string;
  readonly kv: Client<typeof KV>;
  readonly lease: Client<typeof Lease>;
  readonly watch: Client<typeof Watch>;
  /** Aborted with the session; its reason is the cause. */
  readonly ended: AbortSignal;
  /** This host's address on the connection; undefined before the first call. */
  localAddress(): string | undefined;
  /** Converts a failure of a call on this session to NetyardError. */
  explain(error: unknown): Error;
  close(reason?: Error): void;
}

// etcd ends connections that are pinged more often than every 5 s (--grpc-keepalive-min-time).
const PING_INTERVAL_MS = 6_000;
const PING_TIMEOUT_MS = 3_000;
const CALL_TIMEOUT_MS = 5_000;

/** Connects, and authenticates when there is a user. Rejects with NetyardError; see `etcdError`. */
export async function openSession(
  target: EtcdEndpoint,
  access: EtcdAccess,
  timeoutMs = CALL_TIMEOUT_MS,
): Promise<EtcdSession> {
  const endpoint = formatEndpoint(target);
  const baseUrl = `${access.tls ? 'https' : 'http'}://${endpoint}`;
  const ended = new AbortController();
  let socket: Socket | undefined;
  const manager = new Http2SessionManager(
    baseUrl,
    { pingIntervalMs: PING_INTERVAL_MS, pingTimeoutMs: PING_TIMEOUT_MS, idleConnectionTimeoutMs: 2 ** 31 - 1 },
    {
      createConnection: () => {
        socket = access.tls ? connectWithTls(target, access.tls) : connectSocket(target);
        socket.on('error', close); // TLS 1.3 rejects our certificate after the handshake seems complete
        socket.once('close', () => close(Object.assign(new Error('the connection ended'), { code: 'ECONNRESET' })));
        return socket;
      },
      // room for a thousand hosts and their names in one response
      settings: { initialWindowSize: 1 << 20 },
      maxSessionMemory: 256,
    },
  );
  const sessionManager = withErrorListener(manager);
  const close = (reason: Error = new Error('the session was closed')): void => {
    if (ended.signal.aborted) return;
    ended.abort(reason);
    manager.abort(new ConnectError(reason.message, Code.Unavailable, undefined, undefined, reason));
    socket?.destroy();
  };
  const explain = (error: unknown): Error => etcdError(error, endpoint, access.tls !== undefined);
  const transport = createGrpcTransport({
    baseUrl,
    sessionManager,
    acceptCompression: [],
    interceptors: [timeout(timeoutMs)],
  });
  try {
    await connected(manager, timeoutMs, close);
    const identity = access.user ? await identify(createClient(Auth, transport), access.user) : undefined;
    const own = createGrpcTransport({
      baseUrl,
      sessionManager,
      acceptCompression: [],
      interceptors: [...(identity ? [identity] : []), requireLeader, timeout(timeoutMs)],
    });
    return {
      ...{ endpoint, ended: ended.signal, explain, close },
      kv: createClient(KV, own),
      lease: createClient(Lease, own),
      watch: createClient(Watch, own),
      localAddress: () => socket?.localAddress?.replace(/^::ffff:/, ''),
    };
  } catch (error) {
    const reason = explain(error);
    close(reason);
    throw reason;
  }
}

/**
 * After a ping without a response, streams fail before the HTTP/2 session emits its error. `close`, which the failed calls
 * lead to, then makes the manager remove its listener too early, and the error would be an uncaught exception.
 */
function withErrorListener(manager: Http2SessionManager): SessionManager {
  let guarded: ClientHttp2Stream['session'];
  return {
    authority: manager.authority,
    async request(...args) {
      const stream = await manager.request(...args);
      if (stream.session !== guarded) stream.session?.on('error', () => undefined);
      guarded = stream.session;
      return stream;
    },
    notifyResponseByteRead: (stream) => manager.notifyResponseByteRead(stream),
  };
}

function connectWithTls({ host, port }: EtcdEndpoint, tls: EtcdTls): TLSSocket {
  return connectTls({
    ...{ host, port, ALPNProtocols: ['h2'], minVersion: 'TLSv1.2' },
    ...(isIP(host) ? {} : { servername: host }),
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.certificate === undefined ? {} : { cert: tls.certificate }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
  });
}

async function connected(manager: Http2SessionManager, timeoutMs: number, close: (reason: Error) => void) {
  const late = Object.assign(new Error(`no connection within ${timeoutMs / 1000} s`), { code: 'ETIMEDOUT' });
  const timer = setTimeout(() => close(late), timeoutMs);
  try {
    const state = await manager.connect();
    if (state === 'error') throw manager.error() ?? late;
  } finally {
    clearTimeout(timer);
  }
}

/** Unary calls time out; streams do not. */
const timeout =
  (milliseconds: number): Interceptor =>
  (next) =>
  async (request) => {
    if (request.stream) return await next(request);
    const late = AbortSignal.timeout(milliseconds);
    try {
      return await next({ ...request, signal: AbortSignal.any([request.signal, late]) });
    } catch (error) {
      if (!late.aborted) throw error;
      throw new ConnectError(`no answer within ${milliseconds / 1000} s`, Code.DeadlineExceeded);
    }
  };

/** A member without a leader fails requests and ends streams at once, instead of not responding. */
const requireLeader: Interceptor = (next) => (request) => {
  request.header.set('hasleader', 'true');
  return next(request);
};

/** Sends the user's token, and requests a new one when etcd rejects it (simple tokens last 5 minutes). */
async function identify(auth: Client<typeof Auth>, user: EtcdUser): Promise<Interceptor | undefined> {
  const requestToken = async (): Promise<string> => (await auth.authenticate(user)).token;
  let token: string;
  try {
    token = await requestToken();
  } catch (error) {
    if (isAuthOff(error)) return undefined; // authentication is off: every client may do everything
    throw error;
  }
  return (next) => async (request) => {
    request.header.set('token', token);
    try {
      return await next(request);
    } catch (error) {
      if (request.stream || !isStaleToken(error)) throw error;
      token = await requestToken();
      request.header.set('token', token);
      return await next(request);
    }
  };
}
