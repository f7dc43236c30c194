/** The configuration of an image that is committed from a container. Pure. */
import type { CommitOptions } from '../contract.ts';
import { applyChanges } from '../images/changes/apply-changes.ts';
import { emptyProcessDefaults, type ProcessDefaults } from '../images/process-defaults.ts';
import type { ContainerConfig, ImageConfig } from '../model.ts';
import { mergeExposed, mergeHealthcheck } from './create-config.ts';

/**
 * The container's configuration, or the request's completed by the container's, with the changes applied. Throws
 * `invalid` with Docker's messages.
 */
export function committedDefaults(
  container: ContainerConfig,
  { config, changes }: Pick<CommitOptions, 'config' | 'changes'>,
): ProcessDefaults {
  const own = defaultsOf(container);
  const base = config === undefined ? own : { ...emptyProcessDefaults, ...definedOf(config) };
  const changed = applyChanges({ ...noImage, ...base }, changes);
  const { architecture: _architecture, os: _os, diffIds: _diffIds, history: _history, ...defaults } = changed.config;
  return complete(defaults, own, changed.hasEntrypoint);
}

const noImage: Pick<ImageConfig, 'architecture' | 'os' | 'diffIds' | 'history'> = {
  architecture: '',
  os: 'linux',
  diffIds: [],
  history: [],
};

/** The fields of a container's configuration that images have. */
function defaultsOf(config: ContainerConfig): ProcessDefaults {
  return { ...emptyProcessDefaults, ...definedOf(config) };
}

function definedOf(config: Partial<ContainerConfig>): Partial<ProcessDefaults> {
  const { env, entrypoint, command, workingDirectory, user, exposed, exposedKeys, volumes, labels, stopSignal } =
    config;
  const { healthcheck, shell, onBuild } = config;
  const fields = {
    ...{ env, entrypoint, command, workingDirectory, user, exposed, exposedKeys, volumes, labels, stopSignal },
    ...{ healthcheck, shell, onBuild },
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** As a container's configuration is completed by its image's (moby, daemon/commit.go). */
function complete(given: ProcessDefaults, own: ProcessDefaults, hasEntrypoint: boolean): ProcessDefaults {
  const noEntrypoint = given.entrypoint.length === 0;
  const names = new Set(given.env.map(nameOf));
  const healthcheck = mergeHealthcheck(given.healthcheck, own.healthcheck);
  return {
    ...given,
    ...(healthcheck ? { healthcheck } : {}),
    command: noEntrypoint && given.command.length === 0 ? own.command : given.command,
    entrypoint: noEntrypoint && !hasEntrypoint ? own.entrypoint : given.entrypoint,
    env: [...given.env, ...own.env.filter((entry) => !names.has(nameOf(entry)))],
    user: given.user || own.user,
    workingDirectory: given.workingDirectory || own.workingDirectory,
    stopSignal: given.stopSignal || own.stopSignal,
    labels: { ...own.labels, ...given.labels },
    volumes: [...new Set([...given.volumes, ...own.volumes])],
    ...mergeExposed(own, given),
  };
}

const nameOf = (entry: string): string => entry.split('=', 1)[0] ?? '';
