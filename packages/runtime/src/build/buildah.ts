/**
 * Builds with buildah (the engine's `ImageBuilder`). Each build has a directory below the data root, with buildah's
 * storage and all configuration files in it; nothing else of the host's container tools is read or changed.
 *
 *     builds/ID/context      what the client sent
 *     builds/ID/root, run    buildah's storage
 *     builds/ID/…            configuration, archives, temporary files
 */
import { randomBytes } from 'node:crypto';
import {
  accessSync,
  closeSync,
  constants,
  createReadStream,
  createWriteStream,
  existsSync,
  fstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type ArchiveLimits, NetyardError } from '@netyard/core';
import type { BuildRun, BuildWorkspace, ImageBuilder } from '@netyard/engine';
import { hasErrno, openInRoot, removeTree } from '@netyard/kernel';
import { writeArchive } from '../images/archive-write.ts';
import { readCgroupMounts, removeCgroup } from '../tasks/cgroups.ts';
import { runProcess } from './build-process.ts';
import { buildArguments } from './buildah-arguments.ts';

export interface BuilderOptions {
  /** Absolute; `builds` is created below it. */
  dataRoot: string;
  /** Where buildah and crun or runc are searched. */
  searchPath: string;
  /** Parent of the cgroups of RUN steps. */
  cgroupParent: string;
  /** Of the context; each limit has a default. */
  archiveLimits?: Partial<ArchiveLimits>;
}

export function openBuilder(options: BuilderOptions): ImageBuilder {
  const home = join(options.dataRoot, 'builds');
  return {
    async open() {
      const buildah = findProgram(options.searchPath, 'buildah');
      const runtime = findProgram(options.searchPath, 'crun') ?? findProgram(options.searchPath, 'runc');
      if (buildah === undefined || runtime === undefined) {
        throw new NetyardError('not-implemented', 'building images needs buildah, which is not installed', {
          hint: "install Debian's package buildah: `apt install buildah`",
        });
      }
      const id = randomBytes(8).toString('hex');
      const folder = join(home, id);
      mkdirSync(home, { recursive: true, mode: 0o700 });
      mkdirSync(folder, { mode: 0o700 });
      return new BuildahWorkspace(id, folder, { ...options, buildah, runtime });
    },
    async removeLeftovers() {
      if (!existsSync(home)) return;
      for (const id of readdirSync(home)) await removeBuild(options, id, join(home, id));
    },
  };
}

function findProgram(searchPath: string, name: string): string | undefined {
  return searchPath
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

const cgroupOf = ({ cgroupParent }: Pick<BuilderOptions, 'cgroupParent'>, id: string): string =>
  join(cgroupParent, `build-${id}`);

async function removeBuild(options: BuilderOptions, id: string, folder: string): Promise<void> {
  await removeCgroup(readCgroupMounts(), cgroupOf(options, id));
  await removeTree(folder);
}

/** Buildah's configuration files: no registries, no host files, groups without systemd. */
const configurations: Readonly<Record<string, string>> = {
  'containers.conf': '[containers]\nbase_hosts_file = "none"\n[engine]\ncgroup_manager = "cgroupfs"\n',
  'registries.conf': 'unqualified-search-registries = ["docker.io"]\nshort-name-mode = "disabled"\n',
  'policy.json': '{"default":[{"type":"insecureAcceptAnything"}]}\n',
};

type WorkspaceOptions = BuilderOptions & { buildah: string; runtime: string };

class BuildahWorkspace implements BuildWorkspace {
  readonly id: string;
  readonly #folder: string;
  readonly #options: WorkspaceOptions;

  constructor(id: string, folder: string, options: WorkspaceOptions) {
    this.id = id;
    this.#folder = folder;
    this.#options = options;
    mkdirSync(this.#path('context'));
    mkdirSync(this.#path('tmp'));
    for (const [name, text] of Object.entries(configurations)) writeFileSync(this.#path(name), text);
    writeFileSync(this.#path('storage.conf'), `[storage]\ndriver = "overlay"\n`);
  }

  #path(name: string): string {
    return join(this.#folder, name);
  }

  async unpack(context: Readable): Promise<void> {
    const limits = this.#options.archiveLimits ?? {};
    await writeArchive(this.#path('context'), '/', context, { noOverwriteDirNonDir: false, ownRoot: true, limits });
  }

  async readFile(path: string, limit: number): Promise<string | undefined> {
    let fd: number;
    try {
      fd = openInRoot(this.#path('context'), path, constants.O_RDONLY | constants.O_NONBLOCK);
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return undefined;
      throw error;
    }
    try {
      const stat = fstatSync(fd);
      if (!stat.isFile()) return undefined;
      if (stat.size > limit) throw new NetyardError('invalid', `${path} has more than ${limit} bytes`);
      return readFileSync(fd, 'utf8');
    } finally {
      closeSync(fd);
    }
  }

  async addImage(archive: NodeJS.ReadableStream, names: readonly string[], signal: AbortSignal): Promise<void> {
    const file = this.#path(`image-${randomBytes(4).toString('hex')}.tar`);
    await pipeline(archive, createWriteStream(file, { mode: 0o600 }), { signal });
    const output = await this.#succeed(
      signal,
      'pull',
      '--signature-policy',
      this.#path('policy.json'),
      `docker-archive:${file}`,
    );
    unlinkSync(file);
    const id = output.findLast((line) => /^[0-9a-f]{64}$/.test(line));
    if (id === undefined) throw new NetyardError('internal', `buildah pull printed no id: ${output.join('\n')}`);
    await this.#succeed(signal, 'tag', id, ...names);
  }

  async build(
    run: BuildRun,
    onLine: (line: string) => Promise<void> | undefined,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const [dockerfile, idFile] = [this.#path('Dockerfile'), this.#path('id')];
    writeFileSync(dockerfile, run.dockerfile);
    const args = buildArguments(run, {
      ...{ dockerfile, idFile, context: this.#path('context'), policy: this.#path('policy.json') },
      ...{ cgroupParent: cgroupOf(this.#options, this.id), runtime: this.#options.runtime },
    });
    const status = await this.#run(args, onLine, signal);
    return status === 0 ? readFileSync(idFile, 'utf8').trim() : undefined;
  }

  async archive(imageId: string, signal: AbortSignal): Promise<Readable> {
    const file = this.#path('result.tar');
    const policy = ['--signature-policy', this.#path('policy.json')];
    await this.#succeed(signal, 'push', ...policy, imageId.replace('sha256:', ''), `docker-archive:${file}`);
    return createReadStream(file);
  }

  close(): Promise<void> {
    return removeBuild(this.#options, this.id, this.#folder);
  }

  #run(
    args: readonly string[],
    onLine: (line: string) => Promise<void> | undefined,
    signal: AbortSignal,
  ): Promise<number> {
    const storage = ['--root', this.#path('root'), '--runroot', this.#path('run'), '--storage-driver', 'overlay'];
    return runProcess({
      command: [this.#options.buildah, ...storage, ...args],
      environment: {
        PATH: this.#options.searchPath,
        HOME: this.#folder,
        TMPDIR: this.#path('tmp'),
        XDG_RUNTIME_DIR: this.#path('tmp'),
        CONTAINERS_CONF: this.#path('containers.conf'),
        CONTAINERS_REGISTRIES_CONF: this.#path('registries.conf'),
        CONTAINERS_STORAGE_CONF: this.#path('storage.conf'),
      },
      folder: this.#folder,
      onLine,
      signal,
    });
  }

  /** Throws with what it printed last. */
  async #succeed(signal: AbortSignal, ...args: string[]): Promise<string[]> {
    const lines: string[] = [];
    const keep = (line: string): undefined => void lines.push(line);
    const status = await this.#run(args, keep, signal);
    if (status === 0) return lines;
    throw new NetyardError('failed', `buildah ${args[0]}: ${lines.at(-1) ?? `exit status ${status}`}`);
  }
}
