/** Registry credentials in the docker CLI's `config.json` and credential helpers. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AuthConfig } from '@netyard/api-types';
import { messageOf, NetyardError } from '@netyard/core';

interface ConfigFile {
  auths?: Record<string, { auth?: string; identitytoken?: string }>;
  credsStore?: string;
  credHelpers?: Record<string, string>;
  detachKeys?: string;
  [other: string]: unknown;
}

export function readConfig(directory: string): ConfigFile {
  const path = join(directory, 'config.json');
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOENT') return {};
    throw new NetyardError('invalid', `Error loading config file: ${path}: ${messageOf(error)}`, { cause: error });
  }
  try {
    return JSON.parse(text) as ConfigFile;
  } catch (cause) {
    throw new NetyardError('invalid', `Error loading config file: ${path}: ${messageOf(cause)}`, { cause });
  }
}

/** Writes a temporary file and renames it, so that a crash leaves the old one. Readable by its owner only. */
function writeConfig(directory: string, config: ConfigFile): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, 'config.json');
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, `${JSON.stringify(config, null, '\t')}\n`, { mode: 0o600 });
  chmodSync(draft, 0o600);
  renameSync(draft, path);
}

const bare = (server: string): string => server.replace(/^https?:\/\//, '').split('/')[0] ?? '';

/** Returns the credentials of a registry, or undefined. */
export function readCredentials(directory: string, server: string): AuthConfig | undefined {
  const config = readConfig(directory);
  const helper = config.credHelpers?.[server] ?? config.credHelpers?.[bare(server)] ?? config.credsStore;
  if (helper) return askHelper(helper, server);
  const auths = config.auths ?? {};
  const entry = auths[server] ?? Object.entries(auths).find(([key]) => bare(key) === bare(server))?.[1];
  if (!entry) return undefined;
  const [username = '', ...password] = Buffer.from(entry.auth ?? '', 'base64')
    .toString('utf8')
    .split(':');
  return {
    username,
    password: password.join(':').replace(/\0+$/, ''),
    serveraddress: server,
    ...(entry.identitytoken ? { identitytoken: entry.identitytoken } : {}),
  };
}

function askHelper(helper: string, server: string): AuthConfig | undefined {
  try {
    const output = execFileSync(`docker-credential-${helper}`, ['get'], {
      input: server,
      encoding: 'utf8',
      stdio: 'pipe',
    });
    const answer = JSON.parse(output) as { Username: string; Secret: string };
    const token = answer.Username === '<token>';
    return token
      ? { identitytoken: answer.Secret, serveraddress: server }
      : { username: answer.Username, password: answer.Secret, serveraddress: server };
  } catch (cause) {
    const said = typeof cause === 'object' && cause !== null && 'stdout' in cause ? String(cause.stdout) : '';
    if (said.includes('credentials not found')) return undefined;
    throw new NetyardError('unauthorized', `error getting credentials: ${messageOf(cause)}`, { cause });
  }
}

export function saveCredentials(directory: string, server: string, auth: AuthConfig): { helper: string | undefined } {
  const config = readConfig(directory);
  const helper = config.credHelpers?.[server] ?? config.credsStore;
  if (helper) {
    const input = JSON.stringify({ ServerURL: server, Username: auth.username, Secret: auth.password });
    execFileSync(`docker-credential-${helper}`, ['store'], { input, stdio: ['pipe', 'ignore', 'inherit'] });
  }
  const text = Buffer.from(`${auth.username ?? ''}:${auth.password ?? ''}`).toString('base64');
  const entry = auth.identitytoken ? { auth: text, identitytoken: auth.identitytoken } : { auth: text };
  writeConfig(directory, { ...config, auths: { ...config.auths, [server]: helper ? {} : entry } });
  return { helper };
}

/** Returns whether there were credentials. */
export function forgetCredentials(directory: string, server: string): boolean {
  const config = readConfig(directory);
  if (!config.auths || !(server in config.auths)) return false;
  const helper = config.credHelpers?.[server] ?? config.credsStore;
  if (helper)
    execFileSync(`docker-credential-${helper}`, ['erase'], { input: server, stdio: ['pipe', 'ignore', 'inherit'] });
  const { [server]: _gone, ...auths } = config.auths;
  writeConfig(directory, { ...config, auths });
  return true;
}
