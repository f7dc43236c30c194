/** AuthConfig: in the header X-Registry-Auth as base64url of its JSON, and as the body of `docker login`. */
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

/** {} without the header. Throws `invalid`; the header's value never goes into a message. */
export function readCredentials(request: IncomingMessage): RegistryCredentials {
  const header = request.headers['x-registry-auth'];
  if (typeof header !== 'string' || header === '') return {};
  const parsed = credentialsSchema.safeParse(decode(header));
  if (!parsed.success) throw new NetyardError('invalid', 'invalid X-Registry-Auth header: wrong shape');
  return translateCredentials(parsed.data);
}

/** `auth` is name and password together, in base64. */
export function translateCredentials({ auth, ...given }: z.output<typeof credentialsSchema>): RegistryCredentials {
  const [username = '', ...password] = Buffer.from(auth, 'base64').toString().split(':');
  const wanted = {
    username: given.username || username,
    password: given.password || password.join(':'),
    identityToken: given.identitytoken,
    serverAddress: given.serveraddress,
  };
  return Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== ''));
}

function decode(header: string): unknown {
  try {
    return JSON.parse(Buffer.from(header, 'base64url').toString());
  } catch (cause) {
    throw new NetyardError('invalid', 'invalid X-Registry-Auth header: no base64url of JSON', { cause });
  }
}
