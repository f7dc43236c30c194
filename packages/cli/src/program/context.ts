/** A command's access to its environment: streams, variables, clock, the daemon. Created once by `main`. */
import { type NetyardClient, openClient } from '@netyard/client';
import type { Clock } from '@netyard/core';
import { textFor } from '../format/escape.ts';
import type { Flags } from './flags.ts';

export type Input = NodeJS.ReadableStream & { isTTY?: boolean; setRawMode?(on: boolean): unknown; unref?(): unknown };
export type Output = NodeJS.WritableStream & { isTTY?: boolean; columns?: number; rows?: number };

/** Streams may be getters, as Node opens each when it is first read. */
export interface Environment {
  stdin: Input;
  stdout: Output;
  stderr: Output;
  env: Readonly<Record<string, string | undefined>>;
  clock: Clock;
  cwd: string;
}

export interface Context extends Environment {
  /** Folder of `config.json`: DOCKER_CONFIG, else ~/.docker. */
  configDirectory: string;
  /** Opened at the first call. */
  client(): NetyardClient;
  /** Prints a line on stdout. This and the next escape control characters if the output is a terminal. */
  print(line: string): void;
  /** Prints a line on stderr. */
  warn(line: string): void;
  /** Writes text, or bytes unchanged. */
  write(text: string | Uint8Array): void;
  close(): void;
}

export function makeContext(outside: Environment, globals: Flags): Context {
  let client: NetyardClient | undefined;
  const home = outside.env['HOME'] ?? '/root';
  return {
    get stdin() {
      return outside.stdin;
    },
    get stdout() {
      return outside.stdout;
    },
    get stderr() {
      return outside.stderr;
    },
    env: outside.env,
    clock: outside.clock,
    get cwd() {
      return outside.cwd;
    },
    configDirectory: globals.text('config') || outside.env['DOCKER_CONFIG'] || `${home}/.docker`,
    client: () => {
      client ??= openClient({ host: globals.list('host').at(-1), tls: tlsOf(globals), env: outside.env });
      return client;
    },
    print: (line) => void outside.stdout.write(textFor(outside.stdout, `${line}\n`)),
    warn: (line) => void outside.stderr.write(textFor(outside.stderr, `${line}\n`)),
    write: (text) => void outside.stdout.write(typeof text === 'string' ? textFor(outside.stdout, text) : text),
    close: () => client?.close(),
  };
}

function tlsOf(flags: Flags): { enabled: boolean; verify?: boolean; ca?: string; cert?: string; key?: string } {
  return {
    enabled: flags.bool('tls') || flags.bool('tlsverify'),
    ...(flags.has('tlsverify') ? { verify: flags.bool('tlsverify') } : {}),
    ...(flags.has('tlscacert') ? { ca: flags.text('tlscacert') } : {}),
    ...(flags.has('tlscert') ? { cert: flags.text('tlscert') } : {}),
    ...(flags.has('tlskey') ? { key: flags.text('tlskey') } : {}),
  };
}

export const globalFlags = [
  { name: 'config', type: 'string', help: 'Location of client config files (default "~/.docker")' },
  { name: 'debug', short: 'D', type: 'bool', help: 'Also show the cause of an error' },
  { name: 'host', short: 'H', type: 'list', help: 'Daemon socket to connect to' },
  { name: 'tls', type: 'bool', help: 'Use TLS; implied by --tlsverify' },
  { name: 'tlscacert', type: 'string', help: 'Trust certs signed only by this CA (default "~/.docker/ca.pem")' },
  { name: 'tlscert', type: 'string', help: 'Path to TLS certificate file (default "~/.docker/cert.pem")' },
  { name: 'tlskey', type: 'string', help: 'Path to TLS key file (default "~/.docker/key.pem")' },
  { name: 'tlsverify', type: 'bool', help: 'Use TLS and verify the remote' },
  { name: 'version', short: 'v', type: 'bool', help: 'Print version information and quit' },
] as const;
