/** The content of a container's resolv.conf, at its start and when it joins its first user-defined network. */
import { createHash } from 'node:crypto';
import { type FileObject, hasErrno, readIfExists, readStartIfExists } from '@netyard/kernel';
import type { NetworkSettings, SandboxConfig, SandboxState } from '../contract.ts';
import { formatInternalResolvConf } from '../files/internal-resolv-conf.ts';
import { formatResolvConf } from '../files/resolv-conf.ts';
import { namedEndpoints } from '../names/asker.ts';
import { asksOurServer, serverAddress } from '../names/resolvers.ts';
import type { ContainerNames } from '../services.ts';

/** Dependencies of the functions in this file. */
export interface ResolvConfDependencies {
  readonly settings: NetworkSettings;
  readonly names: ContainerNames;
}

interface Running {
  config: SandboxConfig;
  state: SandboxState;
}

export function resolvConfContent(context: ResolvConfDependencies, { config, state }: Running): string {
  const { settings } = context;
  if (namedEndpoints(state).length > 0) {
    const host = readIfExists(settings.hostResolvConf) ?? '';
    const source = { host, hostPath: settings.hostResolvConf, own: config, daemon: settings };
    return formatInternalResolvConf({ ...source, server: serverAddress });
  }
  return formatResolvConf({
    host: readHostResolvConf(context),
    dns: config.dns.length > 0 ? config.dns : settings.dns,
    dnsSearch: config.dnsSearch.length > 0 ? config.dnsSearch : settings.dnsSearch,
    dnsOptions: config.dnsOptions.length > 0 ? config.dnsOptions : settings.dnsOptions,
    hostNamespace: config.mode.kind === 'host',
    ipv6: state.endpoints.some((endpoint) => endpoint.addresses.v6 !== undefined),
    ...(context.names.directory && asksOurServer(config) ? { first: serverAddress } : {}),
  });
}

/** What the state notes about a resolv.conf that was written with this content. */
export const resolvConfState = (
  state: SandboxState,
  content: string,
): Pick<SandboxState, 'nameServer' | 'resolvConfDigest'> => ({
  ...(namedEndpoints(state).length > 0 ? { nameServer: true } : {}),
  resolvConfDigest: digest(content),
});

/**
 * For a running container that joins its first user-defined network: the new state and the file to write. A file that the
 * container changed stays as it is, as in Docker. It is not written again when the container leaves the network: the name
 * server goes on until it stops.
 */
export function planResolvConf(
  context: ResolvConfDependencies,
  { config, state }: Running,
): { state: SandboxState; objects: FileObject[] } {
  if (state.nameServer === true || namedEndpoints(state).length === 0) return { state, objects: [] };
  const path = state.files.resolvConf;
  if (state.resolvConfDigest !== undefined && state.resolvConfDigest !== digestOf(path))
    return { state: { ...state, nameServer: true }, objects: [] };
  const content = resolvConfContent(context, { config, state });
  return { state: { ...state, ...resolvConfState(state, content) }, objects: [{ kind: 'file', path, content }] };
}

const digest = (content: string | Buffer): string => createHash('sha256').update(content).digest('hex');

/** Longest file that Netyard may have written: a container may make its own longer. */
const longestResolvConf = 1024 * 1024;

/** Undefined while the container holds a lease on the file (F_SETLEASE): it is about to write it. */
function digestOf(path: string): string | undefined {
  try {
    return digest(readStartIfExists(path, longestResolvConf)?.data ?? '');
  } catch (error) {
    if (hasErrno(error, 'EAGAIN')) return undefined;
    throw error;
  }
}

/** systemd-resolved's stub on 127.0.0.53 is reachable from the host only; this file lists the upstream servers. */
const resolvedFile = '/run/systemd/resolve/resolv.conf';

function readHostResolvConf(context: ResolvConfDependencies): string {
  const text = readIfExists(context.settings.hostResolvConf) ?? '';
  const servers = [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)].map((match) => match[1]);
  const onlyStub = servers.length > 0 && servers.every((server) => server === '127.0.0.53');
  return onlyStub ? (readIfExists(resolvedFile) ?? text) : text;
}
