/** Observes this host. Needs root to enter namespaces of others, and changes nothing. */
import { hostname } from 'node:os';
import { isNetyardError, messageOf, TimeSlice } from '@netyard/core';
import {
  listListeningSockets,
  type ObservedListener,
  type ObservedNamespaceLink,
  observeNamespace,
  resolveNamespaceIds,
} from '@netyard/kernel';
import { readApiEngine } from './engines/read-api.ts';
import { readContainerd } from './engines/read-containerd.ts';
import { readPodmanCommand } from './engines/read-podman.ts';
import type { EngineReport } from './engines/report.ts';
import { findEngineSockets } from './engines/sockets.ts';
import type { HostNamespace, HostTopology, ListeningSocket, NamespaceLink } from './model.ts';
import { findPins, joinNamespaces, pinDirectories } from './namespaces.ts';
import { findSocketProcesses, hostNamespace, listProcesses, type SocketOwners } from './processes.ts';
import { findBridges, type HostSurvey, joinSurvey, type NamespaceEntry, normalPath } from './survey.ts';

export interface SurveyOptions {
  /** NETYARD_HOST and DOCKER_HOST; PATH and what the podman command needs. */
  env: Readonly<Record<string, string | undefined>>;
  /** Further sockets of engines. */
  sockets?: readonly string[];
  /** For each answer of an engine, in milliseconds. Default: 2000. */
  timeout?: number;
}

export interface ObserveOptions {
  /** Also find which process has each listening socket open: reads `/proc/PID/fd` until all are found. */
  socketProcesses?: boolean;
}

const defaultTimeout = 2000;

/** Everything of this host. */
export async function observeHost(options: SurveyOptions & ObserveOptions): Promise<HostTopology> {
  const survey = await surveyHost(options);
  return await observeNamespaces(
    survey,
    survey.namespaces.map(({ id }) => id),
    options,
  );
}

/** Engines, containers and namespaces, without the contents of the namespaces. */
export async function surveyHost(options: SurveyOptions): Promise<HostSurvey> {
  const timeout = options.timeout ?? defaultTimeout;
  const observedAt = new Date().toISOString();
  const [reports, { processes, hidden }] = await Promise.all([readEngines(options, timeout), listProcesses()]);
  const sandboxes = reports.flatMap(({ containers }) =>
    containers.flatMap(({ sandboxPath }) => (sandboxPath === undefined ? [] : normalPath(sandboxPath))),
  );
  const { pins, problems } = findPins(pinDirectories(), sandboxes);
  if (hidden > 0) problems.push(`the namespaces of ${hidden} processes cannot be read: permission denied`);
  const namespaces = joinNamespaces(hostNamespace(), pins, processes);
  return { hostName: hostname(), observedAt, ...joinSurvey({ reports, namespaces }), problems };
}

/** Those with an API first: they know more about a container than its containerd does. */
async function readEngines(options: SurveyOptions, timeout: number): Promise<EngineReport[]> {
  const sockets = findEngineSockets(options.env, options.sockets);
  const reports = await Promise.all(
    sockets.map(({ path, guess, owner }) => readApiEngine(path, guess, { timeout, owner })),
  );
  const hasPodman = reports.some(({ engine }) => engine.kind === 'podman' && engine.version !== undefined);
  const podman = hasPodman ? undefined : await readPodmanCommand(options.env, timeout);
  return [...reports, ...(podman === undefined ? [] : [podman]), ...readContainerd()];
}

/** The survey, with the contents of these namespaces; the others are left out. */
export async function observeNamespaces(
  survey: HostSurvey,
  ids: Iterable<string>,
  options: ObserveOptions = {},
): Promise<HostTopology> {
  const selected = new Set(ids);
  const found: { namespace: HostNamespace; sockets: ObservedListener[] }[] = [];
  const problems: string[] = [...survey.problems];
  const slice = new TimeSlice();
  for (const entry of survey.namespaces.filter(({ id }) => selected.has(id))) {
    try {
      found.push({ namespace: observeOne(entry, survey.namespaces), sockets: listSockets(entry, problems) });
    } catch (error) {
      if (!isNetyardError(error)) throw error;
      problems.push(`namespace ${entry.name} cannot be observed: ${messageOf(error)}`);
    }
    if (slice.isOver) await slice.next();
  }
  const sockets = found.flatMap((each) => each.sockets);
  const owners = options.socketProcesses ? await findOwners(sockets, survey.namespaces, selected) : undefined;
  const namespaces = found.map((each) => ({ ...each.namespace, sockets: each.sockets.map(withProcess(owners)) }));
  const host = namespaces.find(({ isHost }) => isHost);
  return { ...survey, networks: findBridges(survey.networks, host), namespaces, problems };
}

const withProcess =
  (owners: SocketOwners | undefined) =>
  ({ inode, ...socket }: ObservedListener): ListeningSocket => {
    const process = owners?.get(inode);
    return process === undefined ? socket : { ...socket, process };
  };

/** Processes of the selected namespaces first: a daemon elsewhere seldom has sockets there, as dockerd's name server. */
function findOwners(
  sockets: readonly ObservedListener[],
  namespaces: readonly NamespaceEntry[],
  selected: ReadonlySet<string>,
): Promise<SocketOwners> {
  const ordered = [...namespaces].sort((a, b) => Number(selected.has(b.id)) - Number(selected.has(a.id)));
  const inodes = new Set(sockets.map(({ inode }) => inode));
  return findSocketProcesses(
    inodes,
    ordered.flatMap(({ processes }) => processes),
  );
}

function observeOne(entry: NamespaceEntry, all: readonly NamespaceEntry[]): HostNamespace {
  const { links, ...contents } = observeNamespace(entry.path);
  return { ...entry, ...contents, links: placeLinks(entry, links, all), sockets: [] };
}

function listSockets({ path, name }: NamespaceEntry, problems: string[]): ObservedListener[] {
  try {
    return listListeningSockets(path);
  } catch (error) {
    problems.push(`the listening sockets of namespace ${name} cannot be read: ${messageOf(error)}`);
    return [];
  }
}

/** Kinds whose other end, or whose parent, is a link that may be in another namespace. */
const referringKinds: Readonly<Record<string, 'peer' | 'parent'>> = {
  veth: 'peer',
  macvlan: 'parent',
  macvtap: 'parent',
  ipvlan: 'parent',
  ipvtap: 'parent',
  vlan: 'parent',
};

function placeLinks(
  entry: NamespaceEntry,
  links: readonly ObservedNamespaceLink[],
  all: readonly NamespaceEntry[],
): NamespaceLink[] {
  const ids = new Set(links.flatMap(({ peerNsId }) => peerNsId ?? []));
  const idsByPath = new Map(all.map(({ path, id }) => [path, id]));
  const paths =
    ids.size === 0
      ? new Map<number, string>()
      : resolveNamespaceIds(
          entry.path,
          ids,
          all.map(({ path }) => path),
        );
  return links.map(({ peerIndex, peerNsId, ...link }) => {
    const reference = referringKinds[link.kind ?? ''];
    if (reference === undefined || peerIndex === undefined) return link;
    const namespaceId = peerNsId === undefined ? entry.id : idsByPath.get(paths.get(peerNsId) ?? '');
    return { ...link, [reference]: { index: peerIndex, ...(namespaceId === undefined ? {} : { namespaceId }) } };
  });
}
