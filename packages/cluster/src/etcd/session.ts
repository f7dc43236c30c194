/**
 * One connection to one endpoint of an etcd: typed clients of its gRPC services over one HTTP/2 session, plain or TLS,
 * with the token of a user when there is one. It ends at the first sign of trouble and is not opened again: whoever
 * uses it opens the next one, at another endpoint. No decisions about clusters here.
 */
import { connect as connectSocket, isIP, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { type Client, Code, ConnectError, createClient, type Interceptor } from '@connectrpc/connect';
import { createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node';
import { etcdError, isAuthOff, isStaleToken } from './errors.ts';
import { Auth, KV, Lease, Watch } from './gen/rpc_pb.ts';
import { type EtcdEndpoint, type EtcdUser, formatEndpoint } from './url.ts';

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
  /** Ends with the session; its reason says why. */
  readonly ended: AbortSignal;
  /** This host's address on the connection; undefined before the first call. */
  localAddress(): string | undefined;
  /** A failure of a call here as NetyardError. */
  explain(error: unknown): Error;
  close(reason?: Error): void;
}

// etcd ends connections that are pinged more often than every 5 s (--grpc-keepalive-min-time).
const PING_INTERVAL_MS = 6_000;
const PING_PATIENCE_MS = 3_000;
const CALL_PATIENCE_MS = 5_000;

/** Connects, and authenticates when there is a user. Rejects with NetyardError; see `etcdError`. */
export async function openSession(
  target: EtcdEndpoint,
  access: EtcdAccess,
  patienceMs = CALL_PATIENCE_MS,
): Promise<EtcdSession> {
  const endpoint = formatEndpoint(target);
  const baseUrl = `${access.tls ? 'https' : 'http'}://${endpoint}`;
  const ended = new AbortController();
  let socket: Socket | undefined;
  const manager = new Http2SessionManager(
    baseUrl,
    { pingIntervalMs: PING_INTERVAL_MS, pingTimeoutMs: PING_PATIENCE_MS, idleConnectionTimeoutMs: 2 ** 31 - 1 },
    {
      createConnection: () => {
        socket = access.tls ? connectWithTls(target, access.tls) : connectSocket(target);
        socket.on('error', close); // TLS of version 1.3 refuses our certificate when the session seems to be there
        socket.once('close', () => close(Object.assign(new Error('the connection ended'), { code: 'ECONNRESET' })));
        return socket;
      },
      // a thousand hosts and their names in one answer
      settings: { initialWindowSize: 1 << 20 },
      maxSessionMemory: 256,
    },
  );
  const close = (reason: Error = new Error('the session was closed')): void => {
    if (ended.signal.aborted) return;
    ended.abort(reason);
    manager.abort(new ConnectError(reason.message, Code.Unavailable, undefined, undefined, reason));
    socket?.destroy();
  };
  const explain = (error: unknown): Error => etcdError(error, endpoint, access.tls !== undefined);
  const transport = createGrpcTransport({
    baseUrl,
    sessionManager: manager,
    acceptCompression: [],
    interceptors: [patience(patienceMs)],
  });
  try {
    await connected(manager, patienceMs, close);
    const identity = access.user ? await identify(createClient(Auth, transport), access.user) : undefined;
    const own = createGrpcTransport({
      baseUrl,
      sessionManager: manager,
      acceptCompression: [],
      interceptors: [...(identity ? [identity] : []), requireLeader, patience(patienceMs)],
    });
    return {
      ...{ endpoint, ended: ended.signal, explain, close },
      kv: createClient(KV, own),
      lease: createClient(Lease, own),
      watch: createClient(Watch, own),
      localAddress: () => socket?.localAddress?.replace(/^::ffff:/, ''),
    };
  } catch (error) {
    const said = explain(error);
    close(said);
    throw said;
  }
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

async function connected(manager: Http2SessionManager, patienceMs: number, close: (reason: Error) => void) {
  const late = Object.assign(new Error(`no connection within ${patienceMs / 1000} s`), { code: 'ETIMEDOUT' });
  const timer = setTimeout(() => close(late), patienceMs);
  try {
    const state = await manager.connect();
    if (state === 'error') throw manager.error() ?? late;
  } finally {
    clearTimeout(timer);
  }
}

/** Single calls end after a while; streams go on. */
const patience =
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

/** A member that is cut off from its leader refuses at once, and ends its streams, rather than to answer nothing. */
const requireLeader: Interceptor = (next) => (request) => {
  request.header.set('hasleader', 'true');
  return next(request);
};

/** Sends the user's token, and asks for another one when etcd does not take it any more (simple ones last 5 minutes). */
async function identify(auth: Client<typeof Auth>, user: EtcdUser): Promise<Interceptor | undefined> {
  const ask = async (): Promise<string> => (await auth.authenticate(user)).token;
  let token: string;
  try {
    token = await ask();
  } catch (error) {
    if (isAuthOff(error)) return undefined; // whoever may do all needs no token
    throw error;
  }
  return (next) => async (request) => {
    request.header.set('token', token);
    try {
      return await next(request);
    } catch (error) {
      if (request.stream || !isStaleToken(error)) throw error;
      token = await ask();
      request.header.set('token', token);
      return await next(request);
    }
  };
}
