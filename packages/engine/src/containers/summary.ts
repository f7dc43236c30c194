/** What `docker ps` and `docker inspect` show of a container, assembled from its record and its network. */

import type { Clock } from '@netyard/core';
import type { EndpointConfig } from '@netyard/network';
import type { Networks } from '@netyard/sandbox';
import type { ContainerDetails, ContainerSummary } from '../contract.ts';
import type { ExecRegistry } from '../exec/exec-registry.ts';
import type { ContainerRecord } from '../model.ts';
import { containerDirectory, logPath } from '../paths.ts';
import type { RootFilesystems, RootFolders } from '../ports.ts';
import { type ContainerIndex, hasProcess } from '../records/container-index.ts';
import type { EngineSettings } from '../settings.ts';
import { statusText } from './status-text.ts';

/** What the functions of this file work on. */
export interface SummaryDependencies {
  readonly rootfs: RootFilesystems;
  readonly networks: Networks;
  readonly settings: EngineSettings;
  readonly clock: Clock;
  readonly index: ContainerIndex;
  readonly execs: ExecRegistry;
}

export async function summarize(
  context: SummaryDependencies,
  record: ContainerRecord,
  options: { size: boolean },
): Promise<ContainerSummary> {
  const { endpoints = [], ports = record.config.ports } = context.networks.config(record.id) ?? {};
  const summary: ContainerSummary = {
    record,
    names: namesOf(context, record),
    statusText: statusText(record.state, context.clock.now()),
    network: context.networks.state(record.id),
    endpoints: endpoints.map((config) => configured(context, config)),
    ports,
  };
  if (!options.size) return summary;
  return { ...summary, sizes: await context.rootfs.size(record.id, record.layers) };
}

function configured(
  { networks }: Pick<SummaryDependencies, 'networks'>,
  config: EndpointConfig,
): ContainerSummary['endpoints'][number] {
  try {
    return { networkId: networks.get(config.network).id, config };
  } catch {
    return { networkId: '', config };
  }
}

/** Its own name, then those from links. */
export function namesOf(context: SummaryDependencies, record: ContainerRecord): string[] {
  const links = context.networks.linksTo(record.id).flatMap(({ parentId, alias }) => {
    const parent = context.index.byId(parentId);
    return parent ? [`/${parent.name}/${alias}`] : [];
  });
  return [`/${record.name}`, ...links];
}

export async function inspectContainer(
  context: SummaryDependencies,
  ref: string,
  options: { size: boolean },
): Promise<ContainerDetails> {
  const { settings } = context;
  const record = context.index.get(ref);
  const { id } = record;
  const summary = await summarize(context, record, options);
  const directory = containerDirectory(settings, id);
  const files = summary.network?.files;
  return {
    ...summary,
    linkTexts: linkTexts(context, record),
    logPath: record.config.logDriver === 'json-file' ? logPath(settings, id) : '',
    hostnamePath: files?.hostname ?? `${directory}/hostname`,
    hostsPath: files?.hosts ?? `${directory}/hosts`,
    resolvConfPath: files?.resolvConf ?? `${directory}/resolv.conf`,
    execIds: context.execs.running(id).map((exec) => exec.id),
    overlay: overlayOf(context, record),
  };
}

/** The root of a running container is mounted nowhere but in its own namespace: it is seen through its process. */
function overlayOf({ rootfs }: SummaryDependencies, record: ContainerRecord): RootFolders {
  const folders = rootfs.folders?.(record.id, record.layers) ?? noFolders;
  return hasProcess(record) ? { ...folders, merged: `/proc/${record.state.pid}/root` } : folders;
}

const noFolders = { lower: [], upper: '', work: '', merged: '' };

/** `/child:/parent/alias`, the format that inspect shows. */
function linkTexts(context: SummaryDependencies, record: ContainerRecord): string[] {
  return context.networks.links(record.id).map((link) => {
    const child = context.index.byId(link.childId)?.name ?? link.targetName ?? link.childId;
    return `/${child}:/${record.name}/${link.alias}`;
  });
}
