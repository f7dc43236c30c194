/** The network side of one container as configured (`SandboxConfig`) and as set up (`SandboxState`), and its links. */
import type {
  EndpointConfig,
  EndpointState,
  ExposedPort,
  PerFamily,
  PortRequest,
  PublishedPort,
} from '@netyard/network';
import type { RemoteTarget } from './remote-contract.ts';

export type NetworkMode =
  | { kind: 'default' } // Docker's "default", that is bridge
  | { kind: 'bridge' }
  | { kind: 'host' }
  | { kind: 'none' }
  | { kind: 'container'; ref: string }
  | { kind: 'network'; ref: string }; // a user-defined network, by name or id

/** Configuration of the network side of a container. Persisted in the store; `prepare` reads it from there. */
export interface SandboxConfig {
  containerId: string;
  /** Without the leading slash. */
  name: string;
  mode: NetworkMode;
  hostname: string;
  domainname?: string;
  /**
   * Requested endpoints. In a call of `register`: none for the mode's own network. In the result of `config()` the list is
   * complete; connect and disconnect change it.
   */
  endpoints: EndpointConfig[];
  ports: PortRequest[];
  /** `-P`: publish each exposed port. */
  publishAll: boolean;
  /** From the image and `--expose`, in Docker's order. */
  exposed: ExposedPort[];
  /** Only ports exposed by the request itself: `container:` mode rejects those, but not EXPOSE of the image. */
  requestedExposed?: ExposedPort[];
  /**
   * The links as given: `target`, `target:alias` or `/target:/parent/alias`. A target `HOST/NAME` that is not a
   * `parent/alias` of this host refers to a container of another host.
   */
  links: string[];
  /** Whether other hosts of the cluster can resolve the container's name. Default: `NetworkSettings.publishNames`. */
  publishName?: boolean;
  /** `--add-host name:ip`. */
  extraHosts: string[];
  dns: string[];
  dnsSearch: string[];
  dnsOptions: string[];
  /** Directory for the container's `/etc/hosts`, `/etc/hostname` and `/etc/resolv.conf`. */
  filesDirectory: string;
  /** `--sysctl net.*`. */
  sysctls: Record<string, string>;
  /** The endpoints when it last ran, in the order of their interfaces. Set by Netyard. */
  formerEndpoints?: FormerEndpoint[];
}

/** What the next start of a container uses again. */
export interface FormerEndpoint {
  /** Name. */
  network: string;
  /** Interface name. */
  link: string;
  /** Automatic addresses. */
  addresses: PerFamily<string>;
}

/** The network side of a running container. */
export interface SandboxState {
  id: string;
  /** Path of the namespace to join; undefined: the host's own (mode host). */
  netnsPath?: string;
  /** In `container:` mode, id of the container that owns the namespace. */
  sharedWith?: string;
  /** A container with CAP_NET_ADMIN shares or shared the namespace, so changes inside may be intentional. */
  sharedWithAdmin?: boolean;
  files: { hosts: string; hostname: string; resolvConf: string };
  /**
   * It was on a user-defined network since its start, so its resolv.conf may name the name server at 127.0.0.11, which
   * runs until the container stops.
   */
  nameServer?: boolean;
  /** SHA-256 of resolv.conf as Netyard wrote it: the container changed a file that differs. */
  resolvConfDigest?: string;
  endpoints: EndpointState[];
  ports: PublishedPort[];
}

/** One link; `docker inspect` shows `/child:/parent/alias`. */
export interface LinkRecord {
  parentId: string;
  /** The target. Keeps its value after the target is removed, until a container of the same name takes its place. */
  childId: string;
  alias: string;
  /** The target's current name (its last one after removal), and the reference by which it was requested. */
  targetName?: string;
  targetRef?: string;
  /** Index among the parent's links, from 0. */
  position?: number;
  /** The target is a container of another host; `childId` and `targetName` are then `HOST/NAME`. */
  remote?: RemoteTarget;
}
