/**
 * `docker build` by the classic builder's API. The daemon reads the Dockerfile, provides base images from its own ones or
 * by pulling, lets an `ImageBuilder` run the steps, and loads the result.
 */
import { readFileSync } from 'node:fs';
import { posix } from 'node:path';
import type { Readable } from 'node:stream';
import { isNetyardError, NetyardError } from '@netyard/core';
import { createNetns, deleteNetns, listNetns, netnsExists, netnsPath } from '@netyard/kernel';
import { formatResolvConf, type Networks } from '@netyard/sandbox';
import type { BuildOptions, ImageService, Progress } from '../contract.ts';
import { shortDigest } from '../images/digest.ts';
import type { Images } from '../images/image-service.ts';
import { progressOf, type Report } from '../images/progress.ts';
import { canonicalString, familiarString, parseReference, withDefaultTag } from '../images/reference.ts';
import type { BuildNetwork, BuildWorkspace, ImageBuilder } from '../ports.ts';
import {
  checkNetworks,
  type Dockerfile,
  imagesOf,
  parseDockerfile,
  type Stage,
  stagesUntil,
  textUntil,
} from './dockerfile.ts';
import { BuildOutput, LastLines } from './output.ts';

export interface BuildDependencies {
  readonly builder: ImageBuilder;
  readonly images: Images;
  readonly networks: Pick<Networks, 'endpoints'>;
}

const longestDockerfile = 1024 * 1024;
/** Of the names of builds' namespaces, and of their endpoints. */
const namePrefix = 'netyard-build-';

/** Throws before the first line for an invalid request, Dockerfile or context. */
export async function* buildImage(
  context: BuildDependencies,
  archive: Readable,
  options: BuildOptions,
  signal: AbortSignal,
): AsyncGenerator<Progress> {
  const tags = [...new Set(options.tags.map(checkTag))];
  checkNetworkMode(options.networkMode);
  const workspace = await context.builder.open();
  try {
    await workspace.unpack(archive);
    signal.throwIfAborted();
    const dockerfile = await readDockerfile(workspace, options);
    const stages = stagesUntil(dockerfile, options.target);
    if (options.networkMode !== 'host') checkNetworks(stages);
    const job: Job = { context, workspace, options, dockerfile, stages, tags };
    yield* progressOf((report, stop) => runBuild(job, report, stop), signal);
  } finally {
    await workspace.close();
  }
}

function checkTag(tag: string): string {
  const reference = parseReference(tag);
  if (reference.digest !== undefined) throw new NetyardError('invalid', 'build tag cannot contain a digest');
  return familiarString(withDefaultTag(reference));
}

function checkNetworkMode(mode: string): void {
  if (!mode.startsWith('container:')) return;
  throw new NetyardError('not-implemented', `Netyard's build does not support the network ${mode}`, {
    hint: 'use the name of a network',
  });
}

interface Job {
  context: BuildDependencies;
  workspace: BuildWorkspace;
  options: BuildOptions;
  dockerfile: Dockerfile & { text: string };
  stages: readonly Stage[];
  tags: readonly string[];
}

async function readDockerfile(
  workspace: BuildWorkspace,
  options: BuildOptions,
): Promise<Dockerfile & { text: string }> {
  const path = options.dockerfile === '' ? 'Dockerfile' : options.dockerfile;
  if (posix.normalize(path).startsWith('..')) {
    throw new NetyardError('failed', `forbidden path outside the build context: ${path} ()`);
  }
  const text =
    (await workspace.readFile(path, longestDockerfile)) ??
    (options.dockerfile === '' ? await workspace.readFile('dockerfile', longestDockerfile) : undefined);
  if (text === undefined) throw new NetyardError('failed', `Cannot locate specified Dockerfile: ${path}`);
  return { ...parseDockerfile(text, path, options.buildArgs), text };
}

async function runBuild(job: Job, report: Report, signal: AbortSignal): Promise<void> {
  const { workspace, options, dockerfile, stages } = job;
  for (const name of imagesOf(stages)) await provideImage(job, name, report, signal);
  const output = new BuildOutput(dockerfile, stages, Object.keys(options.labels).length > 0);
  const kept = new LastLines();
  const show = (text: string): Promise<void> | undefined => {
    if (text === '') return undefined;
    if (!options.quiet) return report({ stream: text });
    kept.add(text);
    return undefined;
  };
  const text = textUntil(dockerfile.text, dockerfile, stages);
  const { buildArgs, labels, extraHosts, limits } = options;
  const id = await withNetwork(job, (network) =>
    workspace.build(
      { dockerfile: text, buildArgs, labels, extraHosts, limits, network },
      (line) => show(output.add(line).join('')),
      signal,
    ),
  );
  if (id === undefined) {
    for (const line of kept.lines) await report({ stream: line });
    report({ error: output.error() });
    return;
  }
  await loadResult(job, id, report, signal);
}

/** Base images come from the local ones; only missing ones, or all with `pull`, from a registry. */
async function provideImage(
  { context, workspace, options }: Job,
  name: string,
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  const { images } = context;
  const reference = withDefaultTag(parseReference(name));
  if (reference.digest !== undefined) {
    throw new NetyardError('not-implemented', `Netyard's build does not support the digest of ${name}`, {
      hint: 'give the image a tag with `docker tag`, and use it',
    });
  }
  if (options.pull || (await isMissing(images, name))) {
    const pulled = images.pull(familiarString(reference), '', options.credentials(reference.domain), signal);
    for await (const line of pulled) if (!options.quiet) report(line);
  }
  const short = `localhost/${familiarString(reference)}`;
  const names = [canonicalString(reference), ...(reference.domain === 'docker.io' ? [short] : [])];
  await workspace.addImage(await images.save([name]), names, signal);
}

async function isMissing(images: Pick<ImageService, 'get'>, name: string): Promise<boolean> {
  try {
    await images.get(name);
    return false;
  } catch (error) {
    if (isNetyardError(error, 'not-found')) return true;
    throw error;
  }
}

/** RUN on a network of Netyard uses an attached namespace, as the builds' processes are no container's. */
async function withNetwork<T>(
  { context, workspace, options }: Job,
  work: (network: BuildNetwork) => Promise<T>,
): Promise<T> {
  const mode = options.networkMode === '' || options.networkMode === 'default' ? 'bridge' : options.networkMode;
  if (mode === 'none' || mode === 'host') return await work({ kind: mode });
  const name = `${namePrefix}${workspace.id}`;
  const path = netnsPath(name);
  createNetns(path);
  try {
    await context.networks.endpoints.attach({ name, network: mode, netnsPath: path });
    return await work({ kind: 'namespace', path, nameServers: nameServers() });
  } finally {
    await removeNetwork(context.networks, name);
  }
}

/** Those that a container of the default bridge has. */
function nameServers(): string[] {
  const host = readHostResolvConf();
  const text = formatResolvConf({ host, hostNamespace: false, ipv6: false, dns: [], dnsSearch: [], dnsOptions: [] });
  return [...text.matchAll(/^nameserver (\S+)$/gm)].map(([, address = '']) => address);
}

function readHostResolvConf(): string {
  try {
    return readFileSync('/etc/resolv.conf', 'utf8');
  } catch {
    return ''; // a host may have none
  }
}

async function removeNetwork({ endpoints }: Pick<Networks, 'endpoints'>, name: string): Promise<void> {
  try {
    if (endpoints.list().some((endpoint) => endpoint.name === name)) await endpoints.detach(name);
  } finally {
    const path = netnsPath(name);
    if (netnsExists(path)) deleteNetns(path);
  }
}

async function loadResult(
  { context, workspace, options, tags }: Job,
  id: string,
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  const loaded = context.images.load(await workspace.archive(id, signal), { quiet: true });
  for await (const _line of loaded) signal.throwIfAborted();
  for (const tag of tags) {
    const { tag: suffix = 'latest' } = parseReference(tag);
    await context.images.tag(id, tag.slice(0, tag.length - suffix.length - 1), suffix);
  }
  if (options.quiet) {
    report({ stream: `${id}\n` });
    return;
  }
  report({ aux: { ID: id } });
  report({ stream: `Successfully built ${shortDigest(id)}\n` });
  for (const tag of tags) report({ stream: `Successfully tagged ${tag}\n` });
}

/** What builds left that ended with an earlier daemon. */
export async function removeBuildLeftovers(context: BuildDependencies): Promise<void> {
  // A namespace has no endpoint if the daemon ended before it was attached.
  const names = new Set([...context.networks.endpoints.list(), ...listNetns()].map(({ name }) => name));
  for (const name of names) if (name.startsWith(namePrefix)) await removeNetwork(context.networks, name);
  await context.builder.removeLeftovers();
}
