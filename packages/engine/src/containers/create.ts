/**
 * `docker create`: validates everything, then creates the container's directories, volumes and network registration.
 */
import { mkdirSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { type Clock, isNetyardError, NetyardError, newId, type UndoStack, withUndo } from '@netyard/core';
import type { Networks, SandboxConfig } from '@netyard/sandbox';
import type { ContainerService } from '../contract.ts';
import { publishContainer } from '../events/container-events.ts';
import type { EventLog } from '../events/event-log.ts';
import type { Images } from '../images/image-service.ts';
import { platformOf } from '../images/manifest.ts';
import { isPlatformOf, parsePlatform, platformMismatch } from '../images/platform.ts';
import { checkLogOptions } from '../logs/log-options.ts';
import type { ContainerConfig, ContainerRecord, ImageRecord, ResolvedMount } from '../model.ts';
import { containerDirectory } from '../paths.ts';
import type { RootFilesystems, Runtime } from '../ports.ts';
import type { ContainerIndex } from '../records/container-index.ts';
import type { EngineSettings } from '../settings.ts';
import { publishVolume } from '../volumes/volume-events.ts';
import type { VolumeIndex, VolumeRequest } from '../volumes/volume-index.ts';
import type { VolumeMounts } from '../volumes/volume-mounts.ts';
import { checkRequest } from './create-check.ts';
import { mergeConfig, resolveProcess } from './create-config.ts';
import { type PlannedMount, planMounts } from './mounts.ts';
import { claimName } from './names.ts';
import { checkRepair } from './network-repair.ts';
import { readPublishName } from './publish-name.ts';
import { splitSysctls } from './sysctls.ts';
import { checkRealtime, discardUnsupported } from './unsupported-resources.ts';

/** What the functions of this file work on. */
export interface CreateDependencies {
  readonly runtime: Runtime;
  readonly rootfs: RootFilesystems;
  readonly networks: Networks;
  readonly images: Images;
  readonly settings: EngineSettings;
  readonly clock: Clock;
  readonly index: ContainerIndex;
  readonly volumes: VolumeIndex;
  readonly volumeMounts: VolumeMounts;
  readonly events: EventLog;
}

type Request = Parameters<ContainerService['create']>[0];

export async function createContainer(
  context: CreateDependencies,
  asked: Request,
): Promise<{ id: string; warnings: string[] }> {
  checkRealtime(asked.config.resources, context.settings.cgroupVersion);
  const supported = discardUnsupported(asked.config.resources, context.settings.cgroupVersion);
  const runtime = context.runtime.resolveRuntime(asked.config.runtime);
  const request = { ...asked, config: { ...asked.config, runtime, resources: supported.resources } };
  const warnings = [...supported.warnings, ...checkRequest(request.config)];
  try {
    return await context.images.use(request.config.image, (image) => createFrom(context, request, image, warnings));
  } catch (error) {
    throw withHint(context, request.config.image, error);
  }
}

async function createFrom(
  context: CreateDependencies,
  request: Request,
  image: ImageRecord,
  warnings: readonly string[],
): Promise<{ id: string; warnings: string[] }> {
  const { index } = context;
  checkPlatform(request, image);
  const config = shareById(context, mergeConfig(request.config, image.config, context.settings));
  const logWarnings = checkLogOptions(config.logDriver, config.logOptions);
  readPublishName(config.labels);
  checkRepair(config.labels);
  const planned = planMounts(config, context.settings.dataRoot, (ref) => index.find(ref));
  for (const plan of planned) if (plan.mount.type === 'volume') context.volumes.check(volumeRequest(plan));
  const id = newId();
  const name = claimName(index, request.name, id);
  return withUndo(async (undo) => {
    undo.push(() => index.releaseName(name, id));
    const draft = draftRecord(context, { id, name, config, image, mounts: planned.map(({ mount }) => mount) });
    keepIntent(context, draft);
    undo.push(() => index.forgetIntent(id));
    const registered = await registerNetwork(context, draft, request.config, undo);
    const record = await makeFiles(context, draft, planned, undo);
    index.put(record);
    publishContainer(context.events, record, 'create');
    return { id, warnings: [...warnings, ...logWarnings, ...registered.warnings] };
  });
}

/** Throws `invalid`, or `not-found`, on which clients pull the image for the requested platform. */
function checkPlatform({ config, platform }: Request, image: ImageRecord): void {
  if (platform === undefined) return;
  const asked = parsePlatform(platform, platformOf(process.arch));
  if (!isPlatformOf(image, asked)) throw platformMismatch(config.image, image, asked);
}

/** Passing a container's name where an image is expected is a common mistake: the hint names the likely intent. */
function withHint(context: CreateDependencies, ref: string, error: unknown): unknown {
  const isImage = isNetyardError(error, 'not-found') && error.message.startsWith('No such image');
  if (!isImage || !context.index.find(ref)) return error;
  const hint = `${ref} is a container, not an image; for a shell in it: \`docker exec -it ${ref} bash\``;
  return new NetyardError('not-found', error.message, { hint, cause: error });
}

/** Stores `container:NAME` as `container:ID`, so that a later rename does not matter. */
function shareById(context: CreateDependencies, config: ContainerConfig): ContainerConfig {
  const byId = (mode: string): string => {
    const ref = mode.startsWith('container:') ? mode.slice('container:'.length) : '';
    const found = ref === '' ? undefined : context.index.find(ref);
    return found ? `container:${found.id}` : mode;
  };
  const shared = {
    ...config,
    pidMode: byId(config.pidMode),
    ipcMode: byId(config.ipcMode),
    networkModeText: byId(config.networkModeText),
  };
  if (config.networkMode.kind !== 'container') return shared;
  const target = context.index.find(config.networkMode.ref);
  return target ? { ...shared, networkMode: { kind: 'container', ref: target.id } } : shared;
}

/** As in Docker, a container of the host's network keeps the name that the host has now. */
const withHostname = (config: ContainerConfig): ContainerConfig =>
  config.networkMode.kind === 'host' && config.hostname === '' ? { ...config, hostname: hostname() } : config;

function draftRecord(
  context: CreateDependencies,
  parts: { id: string; name: string; config: ContainerConfig; image: ImageRecord; mounts: ResolvedMount[] },
): ContainerRecord {
  return {
    id: parts.id,
    name: parts.name,
    created: context.clock.now(),
    config: withHostname(parts.config),
    imageId: parts.image.id,
    layers: parts.image.layers.map((layer) => layer.chainId),
    process: resolveProcess(parts.config),
    mounts: parts.mounts,
    state: {
      status: 'created',
      pid: 0,
      exitCode: 0,
      error: '',
      oomKilled: false,
      startedAt: undefined,
      finishedAt: undefined,
      restartCount: 0,
      stoppedByUser: false,
    },
  };
}

async function registerNetwork(
  context: CreateDependencies,
  record: ContainerRecord,
  asked: ContainerConfig,
  undo: UndoStack,
): Promise<{ warnings: string[] }> {
  const registered = await context.networks.register(sandboxConfig(context, record, asked));
  undo.push(() => context.networks.unregister(record.id));
  return registered;
}

function sandboxConfig(context: CreateDependencies, record: ContainerRecord, asked: ContainerConfig): SandboxConfig {
  const { config } = record;
  const publishName = readPublishName(config.labels);
  return {
    containerId: record.id,
    name: record.name,
    mode: config.networkDisabled ? { kind: 'none' } : config.networkMode,
    hostname: config.hostname,
    domainname: config.domainname,
    endpoints: config.endpoints,
    ports: config.ports,
    publishAll: config.publishAll,
    exposed: config.exposed,
    requestedExposed: asked.exposed,
    links: config.links,
    ...(publishName === undefined ? {} : { publishName }),
    extraHosts: config.extraHosts,
    dns: config.dns,
    dnsSearch: config.dnsSearch,
    dnsOptions: config.dnsOptions,
    filesDirectory: containerDirectory(context.settings, record.id),
    sysctls: splitSysctls(config.sysctls).net,
  };
}

/** Records the creation as pending: if the daemon is killed meanwhile, its next start removes what the record names. */
function keepIntent(context: CreateDependencies, record: ContainerRecord): void {
  const state = { ...record.state, status: 'removing', removesVolumes: true } as const;
  context.index.putIntent({ ...record, state });
}

/** Creates directories and volumes. */
async function makeFiles(
  context: CreateDependencies,
  draft: ContainerRecord,
  planned: readonly PlannedMount[],
  undo: UndoStack,
): Promise<ContainerRecord> {
  const { rootfs, settings } = context;
  const directory = containerDirectory(settings, draft.id);
  mkdirSync(directory, { recursive: true, mode: 0o710 });
  undo.push(() => rm(directory, { recursive: true, force: true }));
  await rootfs.create(draft.id, draft.layers);
  undo.push(() => rootfs.remove(draft.id));
  await makeWorkingDirectory(context, draft);
  const mounts = planned.map((plan) => makeVolume(context, plan, undo));
  const record = { ...draft, mounts };
  const copied = planned.map((plan, at) => ({ copy: plan.copy, mount: mounts[at] }));
  const volumes = copied.flatMap(({ copy, mount }) => (mount?.type === 'volume' && copy ? [mount] : []));
  if (volumes.length > 0) {
    keepIntent(context, record);
    await fillVolumes(context, record, volumes);
  }
  return record;
}

/**
 * Done before the first start as well, so that `docker cp` finds it; a directory inside a volume is left to the start.
 */
async function makeWorkingDirectory({ rootfs }: CreateDependencies, record: ContainerRecord): Promise<void> {
  const { workingDirectory } = record.config;
  if (workingDirectory === '' || workingDirectory === '/') return;
  await rootfs.withMounted(record.id, record.layers, (root) => rootfs.makeFolder(root, workingDirectory));
}

function volumeRequest({ request }: PlannedMount): VolumeRequest {
  const { source, driver = '', driverOptions = {}, labels = {} } = request;
  return { name: source, driver, options: driverOptions, labels };
}

function makeVolume(context: CreateDependencies, plan: PlannedMount, undo: UndoStack): ResolvedMount {
  if (plan.mount.type !== 'volume') return plan.mount;
  const { record, created } = context.volumes.ensure(volumeRequest(plan));
  if (created) {
    undo.push(() => context.volumes.remove(record.name));
    publishVolume(context.events, record.name, 'create');
  }
  return { ...plan.mount, name: record.name, source: record.mountpoint, driver: record.driver };
}

/** Copies the image's files at the mount point into an empty volume. */
async function fillVolumes(
  context: CreateDependencies,
  record: ContainerRecord,
  mounts: readonly ResolvedMount[],
): Promise<void> {
  const { rootfs } = context;
  await rootfs.withMounted(record.id, record.layers, async (root) => {
    for (const mount of mounts) {
      // The volume is mounted where the image's symbolic links lead, and gets the files found there.
      const found = await rootfs.statInRoot(root, await rootfs.resolvePath(root, mount.target));
      if (!found) continue;
      if (!isDirectory(found.mode))
        throw new NetyardError('invalid', `cannot mount volume over existing file, file exists ${mount.target}`);
      await context.volumeMounts.whileMounted({ mounts: [mount] }, async () => {
        if ((await readdir(mount.source)).length === 0) await rootfs.copyTree(root, mount.target, mount.source);
      });
    }
  });
}

/** Go's os.ModeDir. */
const isDirectory = (mode: number): boolean => (mode & 0x80000000) !== 0;
