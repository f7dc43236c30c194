/** Converts errors of etcd connections and calls to NetyardError. Pure. */
import { Code, ConnectError } from '@connectrpc/connect';
import { messageOf, NetyardError } from '@netyard/core';

/** The gRPC status of a failed call; undefined for other errors. */
export const statusOf = (error: unknown): Code | undefined => (error instanceof ConnectError ? error.code : undefined);

/** The token has expired, or etcd's users have changed since it was issued: requesting a new one helps. */
export function isStaleToken(error: unknown): boolean {
  return error instanceof ConnectError && /invalid auth token|revision of auth store is old/.test(error.rawMessage);
}

/** The lease has expired or was revoked. */
export function isLeaseGone(error: unknown): boolean {
  return error instanceof ConnectError && /requested lease not found/.test(error.rawMessage);
}

export function isAuthOff(error: unknown): boolean {
  return error instanceof ConnectError && /authentication is not enabled/.test(error.rawMessage);
}

/** Whether etcd or TLS rejects our credentials: retrying with the same ones is pointless. */
export const isRefusal = (error: unknown): boolean =>
  error instanceof NetyardError && (error.code === 'unauthorized' || error.code === 'forbidden');

function causesOf(error: unknown): Error[] {
  return error instanceof Error ? [error, ...causesOf(error.cause)] : [];
}

const codeOf = (error: Error): string => ('code' in error && typeof error.code === 'string' ? error.code : '');

/** OpenSSL's and Node's error codes for a rejected certificate or handshake. */
const TLS_CODES = /^(?:ERR_SSL|ERR_TLS|CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|INVALID_CA|HOSTNAME_MISMATCH)/;

function tlsFailure(error: unknown): Error | undefined {
  return causesOf(error).find((cause) => TLS_CODES.test(codeOf(cause)));
}

/** Converts a failed call or connection: `unavailable`, `unauthorized`, `forbidden`, `invalid`, `failed` or `internal`. */
export function etcdError(error: unknown, endpoint: string, tls: boolean): NetyardError {
  if (error instanceof NetyardError) return error;
  const handshake = tlsFailure(error);
  if (handshake) return tlsError(handshake, endpoint);
  const socket = causesOf(error).find((cause) => /^E[A-Z]+$/.test(codeOf(cause)));
  if (socket) {
    const broken = /ECONNRESET|EPIPE/.test(codeOf(socket));
    const hint = broken ? { hint: tls ? 'check whether etcd uses TLS' : 'if etcd uses TLS, set --cluster-ca' } : {};
    return new NetyardError('unavailable', `etcd at ${endpoint} does not respond: ${plain(socket)}`, {
      ...hint,
      cause: error,
    });
  }
  return error instanceof ConnectError ? statusError(error, endpoint) : internal(error, endpoint);
}

const internal = (error: unknown, endpoint: string): NetyardError =>
  new NetyardError('internal', `etcd at ${endpoint}: ${messageOf(error)}`, { cause: error });

const plain = (error: Error): string => error.message.replace(/^connect /, '') || codeOf(error);

function tlsError(error: Error, endpoint: string): NetyardError {
  const code = codeOf(error);
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG') {
    return new NetyardError('unauthorized', `etcd at ${endpoint} does not use TLS`, {
      hint: 'omit --cluster-ca, --cluster-cert and --cluster-key, or enable TLS in etcd',
      cause: error,
    });
  }
  const isOwnCertificate = /ALERT/.test(code);
  return new NetyardError(
    'unauthorized',
    isOwnCertificate
      ? `etcd at ${endpoint} rejects this host's certificate: ${error.message.replace(/^.*:SSL routines:[^:]*:|:\.\..*$/gs, '')}`
      : `invalid certificate of etcd at ${endpoint}: ${error.message.replace(/; if the root CA.*$/, '')}`,
    {
      hint: isOwnCertificate
        ? 'set --cluster-cert and --cluster-key to a client certificate signed by the CA in etcd’s --trusted-ca-file'
        : 'set --cluster-ca to the CA that signed it; the certificate must contain the host as written in --cluster',
      cause: error,
    },
  );
}

function statusError(error: ConnectError, endpoint: string): NetyardError {
  const text = error.rawMessage;
  const make = (code: NetyardError['code'], message: string, hint?: string): NetyardError =>
    new NetyardError(code, message, { ...(hint === undefined ? {} : { hint }), cause: error });
  if (/authentication failed|invalid auth token/.test(text))
    return make('unauthorized', `etcd at ${endpoint} rejects the user or the password: ${text}`);
  if (/user name is empty|user name not found/.test(text))
    return make(
      'unauthorized',
      `etcd at ${endpoint} requires a user and a password`,
      'use etcd://USER:PASSWORD@HOST in --cluster',
    );
  if (error.code === Code.PermissionDenied)
    return make(
      'forbidden',
      `etcd at ${endpoint}: ${text}`,
      'grant the user a role with readwrite on the prefix /netyard/NAME/: `etcdctl role grant-permission --prefix`',
    );
  const unreachable = [Code.Unavailable, Code.DeadlineExceeded, Code.Aborted, Code.Canceled, Code.Unknown];
  if (unreachable.includes(error.code)) return make('unavailable', `etcd at ${endpoint} does not respond: ${text}`);
  return make('failed', `etcd at ${endpoint}: ${text}`);
}
