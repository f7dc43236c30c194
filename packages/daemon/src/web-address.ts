/** Parses the address of the topology page. Pure. */
import { NetyardError, tryParseIp } from '@netyard/core';
import type { TlsFiles } from './listen-address.ts';

export interface WebConfig {
  /** An address. */
  host: string;
  port: number;
  /** Packet captures are allowed. */
  actions: boolean;
  /** Undefined on a loopback address, which no other host reaches. */
  tls: Pick<TlsFiles, 'certificate' | 'key'> | undefined;
}

const isLoopback = (host: string): boolean => host === '::1' || /^127\./.test(host);

/** `127.0.0.1:7420`, `localhost:7420`, `[::1]:7420`; undefined for ''. Other addresses need a certificate. */
export function planWeb(text: string, actions: boolean, tls: TlsFiles | undefined): WebConfig | undefined {
  if (text === '') return undefined;
  const [, bracketed, plain, port] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:/[\]]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = plain === 'localhost' ? '127.0.0.1' : (bracketed ?? plain);
  if (host === undefined || tryParseIp(host) === undefined || Number(port) > 65535)
    throw new NetyardError('invalid', `invalid value "${text}" for --web: it is not ADDRESS:PORT`, {
      hint: 'use 127.0.0.1:7420',
    });
  const place = { host, port: Number(port), actions };
  if (isLoopback(host)) return { ...place, tls: undefined };
  if (tls) return { ...place, tls: { certificate: tls.certificate, key: tls.key } };
  throw new NetyardError('invalid', `--web ${text}: other hosts reach this address, so the page needs TLS there`, {
    hint: 'add --tlsverify --tlscacert FILE --tlscert FILE --tlskey FILE, or use 127.0.0.1 and forward the port with ssh -L',
  });
}
