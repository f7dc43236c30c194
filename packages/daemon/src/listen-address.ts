/** Parses the address of the API. TLS files belong to a TCP address. Pure. */
import { NetyardError } from '@netyard/core';

export type ListenAddress = { kind: 'unix'; path: string } | { kind: 'tcp'; host: string; port: number };

/** Paths of PEM files. */
export interface TlsFiles {
  ca: string;
  certificate: string;
  key: string;
}

const invalid = (message: string, hint?: string): NetyardError =>
  new NetyardError('invalid', message, hint === undefined ? {} : { hint });

/** `unix:///run/x.sock`, or `tcp://127.0.0.1:2376` where client certificates are verified. */
export function parseListenAddress(text: string, tlsVerified: boolean): ListenAddress {
  const unix = /^unix:\/\/(\/[^\0]+)$/.exec(text);
  if (unix?.[1] !== undefined) {
    if (Buffer.byteLength(unix[1]) > 107) throw invalid(`the path of the socket is longer than 107 bytes: ${unix[1]}`);
    return { kind: 'unix', path: unix[1] };
  }
  const tcp = /^tcp:\/\/(\[[0-9a-fA-F:.]+\]|[^:/[\]]*):(\d{1,5})\/?$/.exec(text);
  if (tcp?.[1] === undefined || Number(tcp[2]) > 65535) {
    throw invalid(
      `unable to parse docker host \`${text}\``,
      'use unix:///run/netyard/netyard.sock or tcp://127.0.0.1:2376',
    );
  }
  if (!tlsVerified) {
    throw invalid(
      `${text}: the API on tcp without client certificates would give root on this host to every client that reaches the port`,
      'add --tlsverify --tlscacert FILE --tlscert FILE --tlskey FILE',
    );
  }
  return { kind: 'tcp', host: tcp[1].replace(/^\[|\]$/g, ''), port: Number(tcp[2]) };
}
