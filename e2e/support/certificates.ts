/** Temporary certificates for APIs on TCP: one authority, and for each name a certificate for both server and client. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Certificates {
  ca: string;
  certificate(name: string): string;
  key(name: string): string;
  remove(): void;
}

/** @param addresses by name: the IP address in the certificate */
export function makeCertificates(addresses: Readonly<Record<string, string>>): Certificates {
  const folder = mkdtempSync(join(tmpdir(), 'netyard-e2e-certificates-'));
  const file = (name: string): string => join(folder, name);
  const openssl = (...args: string[]): Buffer => execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...newKey,
    '-days',
    '2',
    '-subj',
    '/CN=ca',
    '-keyout',
    file('ca.key'),
    '-out',
    file('ca.pem'),
  );
  for (const [name, address] of Object.entries(addresses)) {
    openssl('req', ...newKey, '-subj', `/CN=${name}`, '-keyout', file(`${name}.key`), '-out', file(`${name}.csr`));
    writeFileSync(
      file(`${name}.ext`),
      `subjectAltName=IP:${address}\nextendedKeyUsage=serverAuth,clientAuth\nauthorityKeyIdentifier=keyid\n`,
    );
    const signed = ['-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-CAcreateserial', '-days', '2'];
    const extensions = ['-extfile', file(`${name}.ext`), '-out', file(`${name}.pem`)];
    openssl('x509', '-req', '-in', file(`${name}.csr`), ...signed, ...extensions);
    chmodSync(file(`${name}.key`), 0o600);
  }
  return {
    ca: file('ca.pem'),
    certificate: (name) => file(`${name}.pem`),
    key: (name) => file(`${name}.key`),
    remove: () => rmSync(folder, { recursive: true }),
  };
}
