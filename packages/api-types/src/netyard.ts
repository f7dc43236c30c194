/**
 * Netyard's own routes, beside Docker's:
 *
 * - GET /netyard/v1/explain/{ref}: ExplainResponse (`?format=sh` the same as a script, text/x-shellscript)
 * - GET /netyard/v1/topology: TopologyResponse
 * - POST /netyard/v1/cleanup?dryRun=1&unknownData=1: CleanupResponse
 * - GET /netyard/v1/peers: Peer[]; POST with PeerAddRequest: 201 Peer
 * - GET /netyard/v1/peers/{name}: Peer; DELETE: 204. POST and DELETE with `?dryRun=1`: DryRunResponse
 * - `?dryRun=1` on POST /containers/{id}/start and /stop, DELETE /containers/{id}, POST /networks/{id}/connect and
 *   /disconnect: DryRunResponse or the error that the request itself would give; nothing changes
 *
 * The kernel's plan comes as the shell lines it prints as, so that clients need no kernel vocabulary.
 */

/** One object of a plan. */
export interface ExplainedObject {
  /** netns, link, address, route, sysctl, file, nft-table, … */
  kind: string;
  /** `link docker0`, for people. */
  description: string;
  /** Its shell twin, one command a line; no trailing newline. Empty when it exists only through the others. */
  shell: string;
}

export interface ExplainResponse {
  /** As asked for. */
  Ref: string;
  Objects: ExplainedObject[];
  /** The whole as a script for `sh`, comments and all. */
  Script: string;
}

export interface DryRunOperation {
  /** create, change, delete */
  action: string;
  description: string;
  shell: string;
}

export interface DryRunResponse {
  DryRun: true;
  Operations: DryRunOperation[];
  Script: string;
}

export interface PeerAddRequest {
  Name: string;
  Address: string;
  Subnets: string[];
  /** Default `auto`: a route where hosts share a link, VXLAN where they do not. */
  Via?: 'auto' | 'route' | 'vxlan';
  /** For links to `HOST/NAME` without a cluster. */
  Api?: PeerApi;
}

/** Where a peer's daemon listens (`https://HOST:2376`), and files on this host: PEM, the key root's alone. */
export interface PeerApi {
  Url: string;
  Ca: string;
  Certificate: string;
  Key: string;
}

export interface PeerPath {
  Kind: 'route' | 'vxlan';
  /** By which packets to the peer's containers leave: the uplink, or the tunnel. */
  Link: string;
  Gateway: string;
  /** The host's own address towards the peer's containers. */
  Source: string;
  /** Towards the peer's host, and our address there. */
  Uplink: string;
  Local: string;
  MTU: number;
}

/** Another host whose containers reach ours. */
export interface Peer {
  Name: string;
  Address: string;
  Subnets: string[];
  Via: 'auto' | 'route' | 'vxlan';
  /** Null where it was added without. */
  Api: PeerApi | null;
  /** RFC 3339. */
  Created: string;
  /** Written down by a request or in the daemon's configuration, or a host of the cluster. */
  Origin: 'request' | 'config' | 'cluster';
  /** The way in use; null while there is none. */
  Path: PeerPath | null;
  Routes: { Subnet: string; Present: boolean }[];
  /** Packets of the peer's containers are let in. */
  Open: boolean;
  /** From its containers to ours and from ours to its, since the rules were made. */
  Packets: { In: number; Out: number };
  /** RFC 3339: when a look last found more packets from its containers than the look before; '' while unknown. */
  LastSeen: string;
  /** What is wrong; empty when all is well on this side. */
  Problems: string[];
}

export interface TopologyResponse {
  nodes: {
    id: string;
    kind: 'network' | 'container' | 'host' | 'peer';
    name: string;
    detail: Record<string, string>;
  }[];
  edges: { from: string; to: string; address: string; link: string }[];
}

export interface CleanupResponse {
  DryRun: boolean;
  /** What was (or would be) removed, a line each. */
  Removed: string[];
}
