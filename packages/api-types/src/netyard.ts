/**
 * Netyard's own routes, in addition to Docker's:
 *
 * - GET /netyard/v1/explain/{ref}: ExplainResponse (`?format=sh`: the script as text/x-shellscript)
 * - GET /netyard/v1/topology: TopologyResponse
 * - GET /netyard/v1/checks: ChecksResponse
 * - POST /netyard/v1/page: 201 PageAddress
 * - GET /netyard/v1/journal?target=X&since=SECONDS&until=SECONDS: JournalEntry, one per line, oldest first
 * - GET /netyard/v1/journal/diff?from=SECONDS&to=SECONDS: JournalDifference
 * - POST /netyard/v1/trace?peer=P&target=X&protocol=tcp&port=N: JSON objects, one per line, in both directions over a hijacked
 *   connection, as `hosts/` of the package trace defines them
 * - POST /netyard/v1/cleanup?dryRun=1&unknownData=1: CleanupResponse
 * - GET /netyard/v1/peers: Peer[]; POST with PeerAddRequest: 201 Peer
 * - GET /netyard/v1/peers/{name}: Peer; DELETE: 204. POST and DELETE with `?dryRun=1`: DryRunResponse
 * - POST /netyard/v1/containers/{id}/ports with PortsRequest: 201 PortsAdded; DELETE with PortsRequest: 204. Both with
 *   `?dryRun=1`: DryRunResponse
 * - `?dryRun=1` on POST /containers/{id}/start and /stop, DELETE /containers/{id}, POST /networks/{id}/connect and
 *   /disconnect: DryRunResponse, or the error of the actual request; changes nothing
 *
 * Kernel plans are sent as shell commands, so that clients need not know kernel objects.
 */

import type { PortMap } from './container.ts';
import type { portsRequest } from './fields/host-config.ts';
import type { Input } from './fields/shape.ts';

/** Ports to add to a container or to remove from it, as HostConfig has them. */
export type PortsRequest = Input<typeof portsRequest>;

export interface PortsAdded {
  /** As NetworkSettings has them; empty for a container that does not run. */
  Ports: PortMap;
  Warnings: string[];
}

/** One object of a plan. */
export interface ExplainedObject {
  /** netns, link, address, route, sysctl, file, nft-table, … */
  kind: string;
  /** For humans: `link docker0`. */
  description: string;
  /** Equivalent commands, one per line, no trailing newline. Empty if commands of other objects create it. */
  shell: string;
}

export interface ExplainResponse {
  /** The requested reference. */
  Ref: string;
  Objects: ExplainedObject[];
  /** The complete script for `sh`, with comments. */
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
  /** Default `auto`: a route if the hosts share a layer 2 network, otherwise VXLAN. */
  Via?: 'auto' | 'route' | 'vxlan';
  /** For links to `HOST/NAME` without a cluster. */
  Api?: PeerApi;
}

/** URL of a peer's daemon (`https://HOST:2376`) and PEM files on this host; only root may read the key. */
export interface PeerApi {
  Url: string;
  Ca: string;
  Certificate: string;
  Key: string;
}

export interface PeerPath {
  Kind: 'route' | 'vxlan';
  /** Output interface towards the peer's containers: the uplink or the tunnel. */
  Link: string;
  Gateway: string;
  /** The host's own address towards the peer's containers. */
  Source: string;
  /** Output interface towards the peer's host, and our address on it. */
  Uplink: string;
  Local: string;
  MTU: number;
}

/** A remote host whose containers and ours reach each other. */
export interface Peer {
  Name: string;
  Address: string;
  Subnets: string[];
  Via: 'auto' | 'route' | 'vxlan';
  /** Null if it was added without an API. */
  Api: PeerApi | null;
  /** RFC 3339. */
  Created: string;
  /** Added by a request, by the daemon's configuration, or as a host of the cluster. */
  Origin: 'request' | 'config' | 'cluster';
  /** The path in use; null if there is none. */
  Path: PeerPath | null;
  Routes: { Subnet: string; Present: boolean }[];
  /** Whether the firewall accepts packets of the peer's containers. */
  Open: boolean;
  /** From its containers to ours and the reverse, since the rules were created. */
  Packets: { In: number; Out: number };
  /** RFC 3339: time of the last sample with new packets from its containers; '' if unknown. */
  LastSeen: string;
  /** Problems on this host; empty if there are none. */
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

/** How the host differs from the daemon's plan; nothing is changed. */
export interface ChecksResponse {
  Checks: {
    /** The kind of check, such as `desired state`. */
    Id: string;
    Grade: 'ok' | 'info' | 'warning' | 'broken';
    /** Names the object. */
    Text: string;
    /** An instruction; '' where nothing has to be done. */
    Fix: string;
  }[];
}

/** A network change or a repair. */
export interface JournalEntry {
  /** RFC 3339 with nanoseconds, UTC. */
  Time: string;
  /** container, network, peer, foreign, repair, repair-failed, conflict, conflict-end, refuse */
  Kind: string;
  /** `container web`, `network bridge`, `peer b` */
  Object: string;
  /** What happened. */
  Text: string;
  /** Of a repair: the equivalent commands. */
  Commands: string[];
  /** What `target` selects the entry by. */
  Names: string[];
}

/** How the state of the network at one time differs from that at another. */
export interface JournalDifference {
  /** RFC 3339: since when the two states were so. */
  From: string;
  To: string;
  /** They lead from the first to the second. */
  Commands: string[];
}

/** Opens the topology page once. */
export interface PageAddress {
  /** With a token in its fragment, which browsers do not send. */
  Url: string;
  /** RFC 3339. */
  Expires: string;
}

export interface CleanupResponse {
  DryRun: boolean;
  /** What was (or would be) removed, one line each. */
  Removed: string[];
}
