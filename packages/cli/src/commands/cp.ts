/** `cp`: copies files between a container and this machine, or as a tar stream (`-`). */
import { statSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ContainerPathStat } from '@netyard/api-types';
import { isNetyardError, NetyardError } from '@netyard/core';
import { packPath } from '../copy/pack.ts';
import { assertsDirectory, parseCopyPlace, planTarget, rebase, splitPath, type Target } from '../copy/paths.ts';
import { unpack } from '../copy/unpack.ts';
import { Failure } from '../failure.ts';
import { humanSize } from '../format/human.ts';
import type { Context } from '../program/context.ts';
import type { CommandSpec } from '../program/spec.ts';

interface CopyOptions {
  container: string;
  source: string;
  target: string;
  followLink: boolean;
  copyOwners: boolean;
  quiet: boolean;
}

export const cp: CommandSpec = {
  usage: '[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n\tnetyard cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH',
  args: [2, 2],
  flags: [
    { name: 'archive', short: 'a', type: 'bool', help: 'Archive mode (copy all uid/gid information)' },
    { name: 'follow-link', short: 'L', type: 'bool', help: 'Always follow symbol link in SRC_PATH' },
    { name: 'quiet', short: 'q', type: 'bool', help: 'Suppress progress output during copy' },
  ],
  examples: [
    'netyard cp web:/etc/nginx/nginx.conf .',
    'netyard cp page/. web:/usr/share/nginx/html',
    'netyard cp web:/var/log - | tar t',
  ],
  complete: 'containers',
  run: async (context, { args: [from = '', to = ''], flags }) => {
    const [source, target] = [parseCopyPlace(from), parseCopyPlace(to)];
    if (source.path === '' && from === '') throw new Failure('source can not be empty');
    if (target.path === '' && to === '') throw new Failure('destination can not be empty');
    if (source.container !== undefined && target.container !== undefined) {
      throw new Failure('copying between containers is not supported');
    }
    const container = source.container ?? target.container;
    if (container === undefined) throw new Failure('must specify at least one container source');
    const options: CopyOptions = {
      container,
      source: source.path,
      target: target.path,
      followLink: flags.bool('follow-link'),
      copyOwners: flags.bool('archive'),
      quiet: flags.has('quiet') ? flags.bool('quiet') : context.stderr.isTTY !== true,
    };
    if (source.container !== undefined) await copyOut(context, options);
    else await copyIn(context, options);
    return 0;
  },
};

/** Bits of Go's os.FileMode: ModeDir and ModeSymlink. */
const isDirectory = ({ mode }: ContainerPathStat): boolean => (mode & 0x80000000) !== 0;
const isLink = ({ mode }: ContainerPathStat): boolean => (mode & 0x08000000) !== 0;

/** Counts bytes. */
function meter(): { stream: Transform; bytes: () => number } {
  let sum = 0;
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sum += chunk.length;
      done(null, chunk);
    },
  });
  return { stream, bytes: () => sum };
}

function report(context: Context, { quiet }: CopyOptions, bytes: number, target: string): void {
  if (!quiet) context.warn(`Successfully copied ${humanSize(bytes, 3)} to ${target}`);
}

async function copyOut(context: Context, options: CopyOptions): Promise<void> {
  const { containers } = context.client();
  let source = options.source;
  if (options.followLink) source = await linkTarget(context, options.container, source);
  const { stat, stream } = await containers.readArchive(options.container, source);
  if (options.target === '-') {
    if (context.stdout.isTTY) throw new Failure('cowardly refusing to copy to a terminal. Redirect the output');
    await pipeline(stream, context.stdout, { end: false });
    return;
  }
  const path = resolve(context.cwd, options.target) + (assertsDirectory(options.target) ? '/' : '');
  const found = statSync(path.replace(/(.)\/$/, '$1'), { throwIfNoEntry: false });
  const { folder, name } = planTarget(
    { isDirectory: isDirectory(stat) },
    { path, exists: found !== undefined, isDirectory: found?.isDirectory() ?? false },
  );
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    throw new Failure(`invalid output path: directory ${JSON.stringify(folder)} does not exist`);
  }
  const counted = meter();
  const { base } = splitPath(source);
  const leftOut = await unpack(stream.pipe(counted.stream), folder, (member) => rebase(member, base, name));
  for (const member of leftOut) context.warn(`WARNING: skipped ${JSON.stringify(member)}: device file`);
  report(context, options, counted.bytes(), path.replace(/(.)\/$/, '$1'));
}

/** Target of a symbolic link in the container; the path itself if it is no link. */
async function linkTarget(context: Context, container: string, path: string): Promise<string> {
  const stat = await context.client().containers.statPath(container, path);
  if (!isLink(stat)) return path;
  return isAbsolute(stat.linkTarget) ? stat.linkTarget : join(dirname(path), stat.linkTarget);
}

async function copyIn(context: Context, options: CopyOptions): Promise<void> {
  const { containers } = context.client();
  const target = await containerTarget(context, options);
  const shown = `${options.container}:${target.path}`;
  const counted = meter();
  if (options.source === '-') {
    if (!target.isDirectory) throw new Failure(`destination ${JSON.stringify(shown)} must be a directory`);
    const stdin = Readable.from(context.stdin as AsyncIterable<Uint8Array>, { objectMode: false });
    await containers.writeArchive(options.container, target.path, stdin.pipe(counted.stream), {
      copyUidGid: options.copyOwners,
    });
    report(context, options, counted.bytes(), shown);
    return;
  }
  const path = resolve(context.cwd, options.source);
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) throw new NetyardError('not-found', `lstat ${path}: no such file or directory`);
  if (!found.isDirectory() && assertsDirectory(options.source)) throw new Failure('not a directory');
  const { folder, name } = planTarget({ isDirectory: found.isDirectory() }, target);
  // `folder/.` copies the content; a bare folder keeps its name.
  const isContent = /(^|\/)\.$/.test(options.source);
  const first = name ?? (isContent ? '.' : splitPath(path).base);
  const archive = packPath(path, first, options.followLink);
  archive.on('error', (error) => counted.stream.destroy(error));
  await containers.writeArchive(options.container, folder, archive.pipe(counted.stream), {
    copyUidGid: options.copyOwners,
  });
  report(context, options, counted.bytes(), `${options.container}:${options.target}`);
}

/** Looks up the destination in the container; follows a symbolic link. */
async function containerTarget(context: Context, { container, target }: CopyOptions): Promise<Target> {
  const path = target.startsWith('/') ? target : `/${target}`;
  try {
    let real = path;
    let stat = await context.client().containers.statPath(container, path);
    if (isLink(stat)) {
      real = isAbsolute(stat.linkTarget) ? stat.linkTarget : join(dirname(path), stat.linkTarget);
      stat = await context.client().containers.statPath(container, real);
    }
    return { path: real, exists: true, isDirectory: isDirectory(stat) };
  } catch (error) {
    if (!isNetyardError(error, 'not-found')) throw error;
    // The next request reports a missing container; a missing file is created.
    return { path, exists: false, isDirectory: false };
  }
}
