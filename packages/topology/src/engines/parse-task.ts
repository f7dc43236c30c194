/**
 * A running task of containerd, from the OCI spec in its bundle (config.json): the container's name is in annotations that
 * nerdctl or the CRI plugin (Kubernetes) set. Pure.
 */
import { formatIp, tryParseIp } from '@netyard/core';
import { integerOf, type Json, listOf, objectOf, textOf, textsOf, withoutUndefined } from '../json.ts';
import type { PublishedPort } from '../model.ts';
import type { EngineContainer } from './report.ts';

export interface Task {
  id: string;
  /** Of containerd, such as `k8s.io`. */
  namespace: string;
  pid: number;
  spec: unknown;
}

const cri = 'io.kubernetes.cri.';

export function parseTask({ id, namespace, pid, spec }: Task): EngineContainer {
  const annotations = objectOf(objectOf(spec)['annotations']);
  const networks = textsOf(parseJson(annotations['nerdctl/networks']));
  const linux = objectOf(objectOf(spec)['linux']);
  const network = listOf(linux['namespaces'])
    .map(objectOf)
    .find(({ type }) => type === 'network');
  const optional: Partial<EngineContainer> = withoutUndefined({
    image: textOf(annotations[`${cri}image-name`]),
    networkMode: network === undefined ? 'host' : networks[0],
    sandboxPath: pinnedPath(network),
    ...mountedFiles(spec),
  });
  return {
    ...{
      engine: 'containerd',
      id,
      name: nameOf(annotations) ?? `${namespace}/${id.slice(0, 12)}`,
      state: 'running',
      pid,
    },
    attachments: networks.map((name) => ({ network: name, addresses: [], aliases: [] })),
    ports: listOf(parseJson(annotations['nerdctl/ports'])).flatMap((port) => parsePort(port) ?? []),
    ...{ exposed: [], links: [], paused: false, ...optional },
  };
}

/** `web`; of Kubernetes `NAMESPACE/POD/CONTAINER`, and `NAMESPACE/POD` for the process that holds the pod's namespaces. */
function nameOf(annotations: Json): string | undefined {
  const name = textOf(annotations['nerdctl/name']);
  if (name !== undefined) return name;
  const parts = ['sandbox-namespace', 'sandbox-name', 'container-name'].map((key) => textOf(annotations[cri + key]));
  return parts[1] === undefined ? undefined : parts.filter((part) => part !== undefined).join('/');
}

/** Not a path of a process: a number there is one of the engine's, which may be another here. */
function pinnedPath(network: Json | undefined): string | undefined {
  const path = textOf(network?.['path']);
  return path?.startsWith('/proc/') ? undefined : path;
}

function mountedFiles(spec: unknown): { hostsPath: string | undefined; resolvConfPath: string | undefined } {
  const mounts = listOf(objectOf(spec)['mounts']).map(objectOf);
  const source = (path: string): string | undefined =>
    textOf(mounts.find(({ destination }) => destination === path)?.['source']);
  return { hostsPath: source('/etc/hosts'), resolvConfPath: source('/etc/resolv.conf') };
}

/** An element of nerdctl's list, as CNI has it. */
function parsePort(value: unknown): PublishedPort | undefined {
  const port = objectOf(value);
  const protocol = (['tcp', 'udp', 'sctp'] as const).find((name) => name === port['Protocol']);
  const [hostPort, containerPort] = [integerOf(port['HostPort']), integerOf(port['ContainerPort'])];
  if (protocol === undefined || hostPort === undefined || containerPort === undefined) return undefined;
  const ip = tryParseIp(textOf(port['HostIP']) ?? '0.0.0.0');
  return { protocol, hostAddress: ip === undefined ? '0.0.0.0' : formatIp(ip), hostPort, containerPort };
}

function parseJson(value: unknown): unknown {
  try {
    return JSON.parse(textOf(value) ?? 'null');
  } catch {
    return undefined;
  }
}
