/** `create`, and its parts used by `run`: the request, pulling a missing image, the container ID file. */
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { ContainerCreateRequest } from '@netyard/api-types';
import { DaemonError } from '@netyard/client';
import { isNetyardError, NetyardError, reasonOf } from '@netyard/core';
import { readCredentials } from '../credentials.ts';
import { describeError, Failure } from '../failure.ts';
import { commandFlags } from '../options/command-flags.ts';
import { createRequest } from '../options/create-request.ts';
import { authKey, familiarText, parseReference } from '../options/reference.ts';
import type { Context, Output } from '../program/context.ts';
import type { CommandInput, CommandSpec } from '../program/spec.ts';
import { showProgress } from '../terminal/progress.ts';

export const create: CommandSpec = {
  usage: '[OPTIONS] IMAGE [COMMAND] [ARG...]',
  args: [1, Number.POSITIVE_INFINITY],
  flags: commandFlags('create'),
  stopAtArgument: true,
  examples: ['netyard create --name web -p 8801:80 nginx', 'netyard start web'],
  complete: 'images',
  run: async (context, input) => {
    const request = requestFrom(context, input, 'create');
    context.print(await createContainer(context, input, request, context.stderr, 'create'));
    return 0;
  },
};

/** Formats a command-line error like docker, with exit code 125. */
export function withHelp(error: unknown, verb: string, exitCode = 125): Failure {
  const text = `netyard: ${describeError(error)}\n\nRun 'netyard ${verb} --help' for more information`;
  return new Failure(text, exitCode);
}

export function requestFrom(context: Context, input: CommandInput, verb: string): ContainerCreateRequest {
  const [image = '', ...command] = input.args;
  const { env, cwd } = context;
  try {
    return createRequest({ flags: input.flags, image, command, env, cwd, readFile });
  } catch (error) {
    if (!isNetyardError(error)) throw error;
    throw withHelp(error, verb);
  }
}

/** Throws Go's message: `open X: no such file or directory`. */
function readFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new NetyardError('invalid', `open ${path}: ${reasonOf(cause)}`, { cause });
  }
}

/** Creates the container, pulls the image first if needed, and returns the id. Pull progress goes to `messages`. */
export async function createContainer(
  context: Context,
  { flags }: CommandInput,
  request: ContainerCreateRequest,
  messages: Output,
  verb: string,
): Promise<string> {
  checkImage(request.Image ?? '', verb);
  const idFile = flags.text('cidfile');
  if (idFile !== '') checkIdFile(idFile);
  const policy = flags.text('pull');
  if (!['always', 'missing', 'never', ''].includes(policy)) {
    const text = `invalid pull option: '${policy}': must be one of "always", "missing" or "never"`;
    throw withHelp(new NetyardError('invalid', text), verb);
  }
  const platform = flags.text('platform');
  const create = () => context.client().containers.create(request, { name: flags.text('name'), platform });
  const pull = () =>
    pullImage(context, request.Image ?? '', { platform, quiet: flags.bool('quiet'), output: messages });
  if (policy === 'always') await pull();
  try {
    const created = await create().catch(async (error: unknown) => {
      if (policy === 'never' || !isImageMissing(error)) throw error;
      if (!flags.bool('quiet')) {
        messages.write(`Unable to find image '${familiarText(parseReference(request.Image ?? ''))}' locally\n`);
      }
      await pull();
      return await create();
    });
    for (const warning of created.Warnings ?? []) context.warn(`WARNING: ${warning}`);
    if (idFile !== '') writeFileSync(idFile, created.Id, { mode: 0o644 });
    return created.Id;
  } catch (error) {
    if (idFile !== '') removeIfEmpty(idFile);
    throw error;
  }
}

/** Rejects an invalid image reference before any request. */
function checkImage(image: string, verb: string): void {
  if (/^(sha256:)?[0-9a-f]{64}$/.test(image)) return;
  try {
    parseReference(image);
  } catch (error) {
    if (verb === 'run') throw withHelp(error, verb);
    throw error;
  }
}

function checkIdFile(path: string): void {
  if (existsSync(path)) {
    throw new Failure(
      `netyard: container ID file found, make sure the other container isn't running or delete ${path}`,
      125,
    );
  }
  writeFileSync(path, '');
}

function removeIfEmpty(path: string): void {
  if (existsSync(path) && statSync(path).size === 0) rmSync(path);
}

/** Other 404 errors: the container of `--volumes-from` or a network is missing. */
function isImageMissing(error: unknown): boolean {
  return error instanceof DaemonError && error.status === 404 && /^No such image|no such image/i.test(error.message);
}

export async function pullImage(
  context: Context,
  image: string,
  options: { platform?: string; quiet: boolean; output: Output },
): Promise<void> {
  const reference = parseReference(image);
  const tag = reference.digest ?? reference.tag ?? 'latest';
  const auth = readCredentials(context.configDirectory, authKey(reference));
  const messages = context.client().images.pull(reference.name, tag, { auth, platform: options.platform });
  if (!options.quiet) return await showProgress(messages, options.output);
  for await (const message of messages) {
    const text = message.errorDetail?.message ?? message.error;
    if (text !== undefined) throw new NetyardError('failed', text);
  }
}
