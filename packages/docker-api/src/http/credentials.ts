/** Registry credentials (AuthConfig): base64url of JSON in the header X-Registry-Auth, or the body of `docker login`. */
import type { IncomingMessage } from 'node:http';
import { NetyardError } from '@netyard/core';
import type { RegistryCredentials } from '@netyard/engine';
import { z } from 'zod';

const text = z
  .string()
  .nullish()
  .transform((value) => value ?? '');

export const credentialsSchema = z.object({
  username: text,
  password: text,
  auth: text,
  serveraddress: text,
  identitytoken: text,
});

/** {} without the header. Throws `invalid`; the message never contains the header's value. */
export function readCredentials(request: IncomingMessage): RegistryCredentials {
  const header = request.headers['x-registry-auth'];
  if (typeof header !== 'string' || header === '') return {};
  const parsed = credentialsSchema.safeParse(decode(header));
  if (!parsed.success) throw new NetyardError('invalid', 'invalid X-Registry-Auth header: unexpected fields');
  return translateCredentials(parsed.data);
}

/** Of the header X-Registry-Config, by the registry's host as in the client's config file. Throws `invalid`. */
export function readRegistryConfig(request: IncomingMessage): (domain: string) => RegistryCredentials {
  const header = request.headers['x-registry-config'];
  if (typeof header !== 'string' || header === '') return () => ({});
  const parsed = z.record(z.string(), credentialsSchema).safeParse(decode(header));
  if (!parsed.success) throw new NetyardError('invalid', 'invalid X-Registry-Config header: unexpected fields');
  return (domain) => {
    const found = parsed.data[domain === 'docker.io' ? 'https://index.docker.io/v1/' : domain];
    return found ? translateCredentials(found) : {};
  };
}

/** `auth` is `username:password` in base64. */
export function translateCredentials({ auth, ...given }: z.output<typeof credentialsSchema>): RegistryCredentials {
  const [username = '', ...password] = Buffer.from(auth, 'base64').toString().split(':');
  const credentials = {
    username: given.username || username,
    password: given.password || password.join(':'),
    identityToken: given.identitytoken,
    serverAddress: given.serveraddress,
  };
  return Object.fromEntries(Object.entries(credentials).filter(([, value]) => value !== ''));
}

function decode(header: string): unknown {
  try {
    return JSON.parse(Buffer.from(header, 'base64url').toString());
  } catch (cause) {
    throw new NetyardError('invalid', 'invalid registry credentials in the header: not base64url-encoded JSON', {
      cause,
    });
  }
}
