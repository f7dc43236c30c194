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
import { findEngineSockets } from './engines/sockets.ts';
import type { HostNamespace, HostTopology, ListeningSocket, NamespaceLink } from './model.ts';
import { findPins, joinNamespaces, pinDirectories } from './namespaces.ts';
import { findSocketProcesses, hostNamespace, listProcesses } from './processes.ts';
import { findBridges, type HostSurvey, joinSurvey, type NamespaceEntry, normalPath } from './survey.ts';

export interface SurveyOptions {
  /** For NETYARD_HOST and DOCKER_HOST. */
  env: Readonly<Record<string, string | undefined>>;
  /** Further sockets of engines. */
  sockets?: readonly string[];
  /** For each answer of an engine, in milliseconds. Default: 2000. */
  timeout?: number;
}

export interface ObserveOptions {
  /** Also find which process has each listening socket open, which reads `/proc/PID/fd` of the namespace's processes. */
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
  const [reports, { processes, hidden }] = await Promise.all([
    Promise.all(
      findEngineSockets(options.env, options.sockets).map(({ path, guess }) => readApiEngine(path, guess, { timeout })),
    ),
    listProcesses(),
  ]);
  const sandboxes = reports.flatMap(({ containers }) =>
    containers.flatMap(({ sandboxPath }) => (sandboxPath === undefined ? [] : normalPath(sandboxPath))),
  );
  const { pins, problems } = findPins(pinDirectories(), sandboxes);
  if (hidden > 0) problems.push(`the namespaces of ${hidden} processes cannot be read: permission denied`);
  const namespaces = joinNamespaces(hostNamespace(), pins, processes);
  return { hostName: hostname(), observedAt, ...joinSurvey({ reports, namespaces }), problems };
}

/** The survey, with the contents of these namespaces; the others are left out. */
export async function observeNamespaces(
  survey: HostSurvey,
  ids: Iterable<string>,
  options: ObserveOptions = {},
): Promise<HostTopology> {
  const selected = new Set(ids);
  const namespaces: HostNamespace[] = [];
  const problems: string[] = [...survey.problems];
  const slice = new TimeSlice();
  for (const entry of survey.namespaces.filter(({ id }) => selected.has(id))) {
    try {
      namespaces.push(await observeOne(entry, survey.namespaces, problems, options));
    } catch (error) {
      if (!isNetyardError(error)) throw error;
      problems.push(`namespace ${entry.name} cannot be observed: ${messageOf(error)}`);
    }
    if (slice.isOver) await slice.next();
  }
  const host = namespaces.find(({ isHost }) => isHost);
  return { ...survey, networks: findBridges(survey.networks, host), namespaces, problems };
}

async function observeOne(
  entry: NamespaceEntry,
  all: readonly NamespaceEntry[],
  problems: string[],
  options: ObserveOptions,
): Promise<HostNamespace> {
  const { path } = entry;
  const { links, ...contents } = observeNamespace(path);
  const sockets = listSockets(entry, problems);
  const inodes = new Set(sockets.map(({ inode }) => inode));
  const owners = options.socketProcesses ? await findSocketProcesses(inodes, entry.processes) : new Map();
  return {
    ...entry,
    ...contents,
    links: placeLinks(entry, links, all),
    sockets: sockets.map(({ inode, ...socket }): ListeningSocket => {
      const process = owners.get(inode);
      return process === undefined ? socket : { ...socket, process };
    }),
  };
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
