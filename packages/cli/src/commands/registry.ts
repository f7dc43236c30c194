/** `pull`, `push`, `login` and `logout`. */
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import type { AuthConfig } from '@netyard/api-types';
import { forgetCredentials, readCredentials, saveCredentials } from '../credentials.ts';
import { Failure } from '../failure.ts';
import { authKey, familiarText, parseReference } from '../options/reference.ts';
import type { Context } from '../program/context.ts';
import type { CommandSpec } from '../program/spec.ts';
import { showProgress } from '../terminal/progress.ts';
import { pullImage } from './create.ts';

const defaultRegistry = 'https://index.docker.io/v1/';

export const pull: CommandSpec = {
  usage: '[OPTIONS] NAME[:TAG|@DIGEST]',
  args: [1, 1],
  flags: [
    { name: 'all-tags', short: 'a', type: 'bool', help: 'Download all tagged images in the repository' },
    { name: 'disable-content-trust', type: 'bool', help: 'Skip image verification', default: 'true', hidden: true },
    { name: 'platform', type: 'string', help: 'Set platform if server is multi-platform capable' },
    { name: 'quiet', short: 'q', type: 'bool', help: 'Suppress verbose output' },
  ],
  examples: ['netyard pull registry:5000/web:1', 'netyard pull -q nginx'],
  complete: 'images',
  run: async (context, { args: [image = ''], flags }) => {
    const reference = parseReference(image);
    const { tag, digest } = reference;
    if (flags.bool('all-tags')) {
      if (tag !== undefined || digest !== undefined) throw new Failure("tag can't be used with --all-tags/-a");
      const auth = readCredentials(context.configDirectory, authKey(reference));
      await showProgress(context.client().images.pull(reference.name, '', { auth }), context.stdout);
      return 0;
    }
    const quiet = flags.bool('quiet');
    if (tag === undefined && digest === undefined && !quiet) context.print('Using default tag: latest');
    await pullImage(context, image, { platform: flags.text('platform'), quiet, output: context.stdout });
    const full = reference.domain === 'docker.io' ? `docker.io/${reference.path}` : reference.name;
    context.print(familiarText({ ...reference, name: full }));
    return 0;
  },
};

export const push: CommandSpec = {
  usage: '[OPTIONS] NAME[:TAG]',
  args: [1, 1],
  flags: [
    { name: 'all-tags', short: 'a', type: 'bool', help: 'Push all tags of an image to the repository' },
    { name: 'disable-content-trust', type: 'bool', help: 'Skip image signing', default: 'true', hidden: true },
    { name: 'quiet', short: 'q', type: 'bool', help: 'Suppress verbose output' },
  ],
  examples: ['netyard push registry:5000/web:1'],
  complete: 'images',
  run: async (context, { args: [image = ''], flags }) => {
    const reference = parseReference(image);
    const all = flags.bool('all-tags');
    if (all && reference.tag !== undefined) throw new Failure("tag can't be used with --all-tags/-a");
    const quiet = flags.bool('quiet');
    if (!all && reference.tag === undefined && !quiet) context.print('Using default tag: latest');
    const auth = readCredentials(context.configDirectory, authKey(reference));
    const messages = context.client().images.push(reference.name, all ? '' : (reference.tag ?? 'latest'), { auth });
    const output = quiet ? new Writable({ write: (_chunk, _encoding, done) => done() }) : context.stdout;
    await showProgress(messages, output);
    if (quiet) context.print(`${reference.domain}/${reference.path}:${reference.tag ?? 'latest'}`);
    return 0;
  },
};

export const login: CommandSpec = {
  usage: '[OPTIONS] [SERVER]',
  args: [0, 1],
  flags: [
    { name: 'password', short: 'p', type: 'string', help: 'Password or Personal Access Token (PAT)' },
    { name: 'password-stdin', type: 'bool', help: 'Take the Password or Personal Access Token (PAT) from stdin' },
    { name: 'username', short: 'u', type: 'string', help: 'Username' },
  ],
  examples: ['netyard login registry:5000', 'netyard login -u me --password-stdin registry:5000 < token'],
  run: async (context, { args: [server = defaultRegistry], flags }) => {
    if (flags.has('password') && flags.bool('password-stdin')) {
      throw new Failure('conflicting options: cannot specify both --password and --password-stdin');
    }
    if (flags.bool('password-stdin') && !flags.has('username')) {
      throw new Failure('the --password-stdin option requires --username to be set');
    }
    if (flags.has('password')) {
      context.warn('WARNING! Using --password via the CLI is insecure. Use --password-stdin.');
    }
    const username = flags.text('username') || (await ask(context, 'Username: ', true));
    const password = await passwordOf(context, flags.text('password'), flags.bool('password-stdin'));
    if (username === '' || password === '') throw new Failure('username is empty or password is empty');
    const auth: AuthConfig = { username, password, serveraddress: server };
    const answer = await context.client().images.login(auth);
    const kept = answer.IdentityToken ? { username, identitytoken: answer.IdentityToken } : auth;
    const { helper } = saveCredentials(context.configDirectory, server, kept);
    if (!helper) {
      const path = `${context.configDirectory}/config.json`;
      context.warn(`WARNING! Your credentials are stored unencrypted in '${path}'.`);
    }
    if (answer.Status) context.print(answer.Status);
    return 0;
  },
};

async function passwordOf(context: Context, given: string, fromStdin: boolean): Promise<string> {
  if (given !== '') return given;
  if (!fromStdin) return await ask(context, 'Password: ', false);
  const chunks: Buffer[] = [];
  for await (const chunk of context.stdin) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks)
    .toString('utf8')
    .replace(/\r?\n$/, '');
}

/** `echo` false: typed characters are not shown. */
async function ask(context: Context, question: string, echo: boolean): Promise<string> {
  if (!context.stdin.isTTY) throw new Failure('Error: Cannot perform an interactive login from a non TTY device');
  context.write(question);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: context.stdin, output: echo ? context.stdout : silent, terminal: true });
  try {
    return (await lines.question('')).trim();
  } finally {
    lines.close();
    if (!echo) context.write('\n');
  }
}

export const logout: CommandSpec = {
  usage: '[SERVER]',
  args: [0, 1],
  flags: [],
  examples: ['netyard logout registry:5000'],
  run: async (context, { args: [server = defaultRegistry] }) => {
    const shown = server === defaultRegistry ? 'docker.io' : server;
    const known = forgetCredentials(context.configDirectory, server);
    context.print(known ? `Removing login credentials for ${server}` : `Not logged in to ${shown}`);
    return 0;
  },
};
