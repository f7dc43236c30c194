/** Why a peer's API could not be asked, in words that say on which side to look. Pure. */
import { messageOf, NetyardError } from '@netyard/core';
import type { PeerApi } from '@netyard/network';

/** What Node and OpenSSL call a certificate that does not pass. */
const unbelieved = /^(ERR_TLS_CERT_|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|INVALID_)/;
/** With TLS 1.3 a client hears that its certificate is refused only after it believes to be in. */
const shutOut = /^(ECONNRESET|EPIPE|EPROTO|ERR_SSL_.*ALERT.*)$/;

/** `error` is what the client threw, and no answer of the daemon there. */
export function unanswered(peer: string, { url, ca, certificate }: PeerApi, error: unknown): NetyardError {
  const api = `the API of peer ${peer}`;
  const code = codeOf(error) ?? codeOf(error instanceof Error ? error.cause : undefined) ?? '';
  const failure = (message: string, hint: string): NetyardError =>
    new NetyardError('unavailable', message, { hint, cause: error });
  if (unbelieved.test(code))
    return failure(
      `${api} is not believed: ${messageOf(error instanceof Error ? (error.cause ?? error) : error)}`,
      `the certificate at ${url} must be for this very address, and signed by an authority of ${ca}`,
    );
  if (shutOut.test(code))
    return failure(
      `${api} closed the connection without an answer`,
      `${url} does so when no authority of its --tlscacert has signed ${certificate}`,
    );
  return failure(
    `${api} does not answer: ${messageOf(error)}`,
    `see whether ${url} listens with --tlsverify and knows the authority of ${certificate}`,
  );
}

function codeOf(error: unknown): string | undefined {
  const code: unknown = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && code === code.toUpperCase() ? code : undefined;
}
