/** What went wrong between etcd and us, in the words and codes of this house. Pure. */
import { Code, ConnectError } from '@connectrpc/connect';
import { messageOf, NetyardError } from '@netyard/core';

/** Which gRPC status a failed call ended with; undefined when it was no failed call. */
export const statusOf = (error: unknown): Code | undefined => (error instanceof ConnectError ? error.code : undefined);

/** The token is too old, or etcd's users have changed since it was given: another one helps. */
export function isStaleToken(error: unknown): boolean {
  return error instanceof ConnectError && /invalid auth token|revision of auth store is old/.test(error.rawMessage);
}

/** The lease has run out, or was revoked. */
export function isLeaseGone(error: unknown): boolean {
  return error instanceof ConnectError && /requested lease not found/.test(error.rawMessage);
}

export function isAuthOff(error: unknown): boolean {
  return error instanceof ConnectError && /authentication is not enabled/.test(error.rawMessage);
}

/** Whether etcd, or TLS on the way to it, refuses us as we are: trying again with the same papers is of no use. */
export const isRefusal = (error: unknown): boolean =>
  error instanceof NetyardError && (error.code === 'unauthorized' || error.code === 'forbidden');

function causesOf(error: unknown): Error[] {
  return error instanceof Error ? [error, ...causesOf(error.cause)] : [];
}

const codeOf = (error: Error): string => ('code' in error && typeof error.code === 'string' ? error.code : '');

/** OpenSSL's and Node's codes for a certificate, or a handshake, that is not accepted. */
const TLS_CODES = /^(?:ERR_SSL|ERR_TLS|CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|INVALID_CA|HOSTNAME_MISMATCH)/;

function tlsFailure(error: unknown): Error | undefined {
  return causesOf(error).find((cause) => TLS_CODES.test(codeOf(cause)));
}

/** A failed call or connection as NetyardError: `unavailable`, `unauthorized`, `forbidden`, `invalid` or `internal`. */
export function etcdError(error: unknown, endpoint: string, tls: boolean): NetyardError {
  if (error instanceof NetyardError) return error;
  const handshake = tlsFailure(error);
  if (handshake) return tlsError(handshake, endpoint);
  const socket = causesOf(error).find((cause) => /^E[A-Z]+$/.test(codeOf(cause)));
  if (socket) {
    const broken = /ECONNRESET|EPIPE/.test(codeOf(socket));
    const hint = broken ? { hint: tls ? 'does it speak TLS at all?' : 'does it want TLS? give --cluster-ca' } : {};
    return new NetyardError('unavailable', `etcd at ${endpoint} does not answer: ${plain(socket)}`, {
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
    return new NetyardError('unauthorized', `etcd at ${endpoint} does not speak TLS`, {
      hint: 'leave --cluster-ca, --cluster-cert and --cluster-key away, or switch TLS on in etcd',
      cause: error,
    });
  }
  const ours = /ALERT/.test(code);
  return new NetyardError(
    'unauthorized',
    ours
      ? `etcd at ${endpoint} refuses this host's certificate: ${error.message.replace(/^.*:SSL routines:[^:]*:|:\.\..*$/gs, '')}`
      : `the certificate of etcd at ${endpoint} is refused: ${error.message.replace(/; if the root CA.*$/, '')}`,
    {
      hint: ours
        ? 'give --cluster-cert and --cluster-key of a client that etcd’s --trusted-ca-file has signed'
        : '--cluster-ca must hold the authority that signed it, and the certificate must name the host as --cluster does',
      cause: error,
    },
  );
}

function statusError(error: ConnectError, endpoint: string): NetyardError {
  const said = error.rawMessage;
  const make = (code: NetyardError['code'], message: string, hint?: string): NetyardError =>
    new NetyardError(code, message, { ...(hint === undefined ? {} : { hint }), cause: error });
  if (/authentication failed|invalid auth token/.test(said))
    return make('unauthorized', `etcd at ${endpoint} refuses the user or the password: ${said}`);
  if (/user name is empty|user name not found/.test(said))
    return make('unauthorized', `etcd at ${endpoint} wants a user and a password`, 'write etcd://USER:PASSWORD@HOST');
  if (error.code === Code.PermissionDenied)
    return make(
      'forbidden',
      `etcd at ${endpoint}: ${said}`,
      'the user needs a role with readwrite on the prefix /netyard/NAME/: etcdctl role grant-permission --prefix',
    );
  const away = [Code.Unavailable, Code.DeadlineExceeded, Code.Aborted, Code.Canceled, Code.Unknown];
  if (away.includes(error.code)) return make('unavailable', `etcd at ${endpoint} does not answer: ${said}`);
  return make('internal', `etcd at ${endpoint}: ${said}`);
}
