/** Explains why a peer's API could not be used, and on which side to look. Pure. */
import { messageOf, NetyardError } from '@netyard/core';
import type { PeerApi } from '@netyard/peers';

/** Node's and OpenSSL's codes for an untrusted certificate. */
const untrusted = /^(ERR_TLS_CERT_|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|INVALID_)/;
/** With TLS 1.3 a client learns that its certificate is rejected only after the handshake. */
const rejected = /^(ECONNRESET|EPIPE|EPROTO|ERR_SSL_.*ALERT.*)$/;

/** `error` is the client's own, not a response of the daemon there. */
export function unanswered(peer: string, { url, ca, certificate }: PeerApi, error: unknown): NetyardError {
  const api = `the API of peer ${peer}`;
  const code = codeOf(error) ?? codeOf(error instanceof Error ? error.cause : undefined) ?? '';
  const failure = (message: string, hint: string): NetyardError =>
    new NetyardError('unavailable', message, { hint, cause: error });
  if (untrusted.test(code))
    return failure(
      `${api} is not trusted: ${messageOf(error instanceof Error ? (error.cause ?? error) : error)}`,
      `use a certificate at ${url} that is valid for this address and signed by an authority of ${ca}`,
    );
  if (rejected.test(code))
    return failure(
      `${api} closed the connection without a response`,
      `check that an authority of the --tlscacert at ${url} has signed ${certificate}`,
    );
  return failure(
    `${api} does not respond: ${messageOf(error)}`,
    `check that ${url} listens with --tlsverify and trusts the authority of ${certificate}`,
  );
}

function codeOf(error: unknown): string | undefined {
  const code: unknown = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && code === code.toUpperCase() ? code : undefined;
}
