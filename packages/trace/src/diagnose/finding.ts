/** Findings of `netyard diagnose`. */
import type { HostContainer, HostNamespace, HostNetwork, HostTopology, NamespaceLink } from '@netyard/topology';

export interface DiagnoseFinding {
  /** A stable name for programs, such as `veth-mtu`. */
  check: string;
  grade: 'broken' | 'suspicious' | 'fine';
  /** Names the object. */
  text: string;
  /** A command or an instruction. */
  fix?: string;
}

/** One container with what is observed of it. */
export interface DiagnosedContainer {
  topology: HostTopology;
  container: HostContainer;
  /** Undefined when it does not run, or cannot be seen. */
  namespace: HostNamespace | undefined;
  host: HostNamespace | undefined;
  /** Lines of its `/etc/hosts`: address and names. Empty when the file cannot be read. */
  hosts: readonly { address: string; names: readonly string[] }[];
}

export type ContainerCheck = (diagnosed: DiagnosedContainer) => DiagnoseFinding[];

export const broken = (check: string, text: string, fix?: string): DiagnoseFinding =>
  graded('broken', check, text, fix);
export const suspicious = (check: string, text: string, fix?: string): DiagnoseFinding =>
  graded('suspicious', check, text, fix);
export const fine = (check: string, text: string): DiagnoseFinding => graded('fine', check, text);

const graded = (grade: DiagnoseFinding['grade'], check: string, text: string, fix?: string): DiagnoseFinding => ({
  ...{ check, grade, text },
  ...(fix === undefined ? {} : { fix }),
});

/** A container's interface and the other end of its veth pair. */
export interface InterfacePair {
  inner: NamespaceLink;
  outer: NamespaceLink | undefined;
}

export function interfacesOf({ topology, namespace }: DiagnosedContainer): InterfacePair[] {
  if (namespace === undefined || namespace.isHost) return [];
  return namespace.links
    .filter(({ kind }) => kind === 'veth')
    .map((inner) => {
      const other = topology.namespaces.find(({ id }) => id === inner.peer?.namespaceId);
      return { inner, outer: other?.links.find(({ index }) => index === inner.peer?.index) };
    });
}

/** The networks of the container, as its engine reports them. */
export function attachedNetworks({ topology, container }: DiagnosedContainer): HostNetwork[] {
  return container.attachments
    .map(({ network }) => topology.networks.find(({ engine, name }) => engine === container.engine && name === network))
    .filter((network) => network !== undefined);
}
