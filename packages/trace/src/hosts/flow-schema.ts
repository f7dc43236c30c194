/** What hosts say to each other about a flow, validated: all of it comes from another host. Pure. */
import { messageOf, NetyardError, tryParseIp, tryParsePrefix } from '@netyard/core';
import { z } from 'zod';
import type { FlowEvidence, ProbeResult, TracePacket } from '../model.ts';
import type { PeerView } from '../tools.ts';

const text = z.string().max(4096);
const name = z.string().max(256);
const isLink = (value: string): boolean => /^[^\s/]{1,15}$/.test(value);
const link = z.string().refine(isLink, 'is no name of an interface');
const ip = z.string().refine((value) => tryParseIp(value) !== undefined, 'is no IP address');
/** With or without length. */
const prefix = z.string().refine((value) => tryParsePrefix(value) ?? tryParseIp(value), 'is no prefix');
const port = z.int().min(0).max(65535);
const mac = z.string().regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/, 'is no MAC');
const count = z.number().nonnegative();
const list = <T extends z.ZodType>(item: T, most: number): z.ZodArray<T> => z.array(item).max(most);

const packet = z.object({
  protocol: z.enum(['tcp', 'udp', 'icmp']),
  source: ip.exactOptional(),
  sourcePort: port.exactOptional(),
  destination: ip,
  destinationPort: port.exactOptional(),
});

const reference = z.object({ namespaceId: name.exactOptional(), index: z.int() });

const namespaceLink = z.object({
  index: z.int(),
  name: link,
  kind: name.exactOptional(),
  mac: mac.exactOptional(),
  mtu: z.int(),
  up: z.boolean(),
  running: z.boolean(),
  masterIndex: z.int().exactOptional(),
  addresses: list(prefix, 4096),
  rpFilter: z.int(),
  peer: reference.exactOptional(),
  parent: reference.exactOptional(),
});

const route = z.object({
  family: z.literal([4, 6]),
  to: z.union([z.literal('default'), prefix]),
  via: ip.exactOptional(),
  link: link.exactOptional(),
  source: ip.exactOptional(),
  metric: z.int().exactOptional(),
  table: z.int(),
  protocol: z.int(),
  type: z.enum([
    ...['unicast', 'local', 'broadcast', 'anycast', 'multicast'],
    ...['blackhole', 'unreachable', 'prohibit', 'throw', 'other'],
  ] as const),
});

const socket = z.object({
  protocol: z.enum(['tcp', 'udp']),
  address: ip,
  port,
  v6only: z.boolean(),
  link: link.exactOptional(),
  waiting: count,
  backlog: count,
  process: z.object({ pid: z.int(), name }).exactOptional(),
});

const neighbour = z.object({ link, address: ip, mac: mac.exactOptional(), state: z.literal('permanent') });

const namespace = z
  .object({
    id: z.string().regex(/^\d{1,20}$/),
    path: text,
    name,
    isHost: z.boolean(),
    links: list(namespaceLink, 8192),
    routes: list(route, 32_768),
    neighbours: list(neighbour, 8192),
    sockets: list(socket, 8192),
    forwarding: z.object({ v4: z.boolean(), v6: z.boolean() }),
    bridgeNetfilter: z.boolean().exactOptional(),
    legacyTables: list(name, 16),
  })
  .transform((value) => ({ ...value, processes: [], rules: [] }));

const engine = z.enum(['netyard', 'docker', 'podman', 'containerd']);

const container = z
  .object({
    engine: z.union([engine, z.literal('namespace')]),
    id: name,
    name,
    state: z.enum(['created', 'running', 'paused', 'restarting', 'exited', 'dead', 'removing', 'unknown']),
    exitCode: z.int().exactOptional(),
    finishedAt: name.exactOptional(),
    namespaceId: name.exactOptional(),
    networkMode: name.exactOptional(),
    attachments: list(
      z.object({ network: name, addresses: list(prefix, 64), gateway: name.exactOptional(), aliases: list(name, 256) }),
      256,
    ),
    ports: list(
      z.object({ protocol: z.enum(['tcp', 'udp', 'sctp']), hostAddress: ip, hostPort: port, containerPort: port }),
      65_536,
    ),
    exposed: list(name, 4096),
    paused: z.boolean(),
  })
  .transform((value) => ({ ...value, links: [] }));

const network = z.object({
  engine,
  id: name,
  name,
  driver: name,
  link: link.exactOptional(),
  subnets: list(z.object({ subnet: prefix, gateway: ip.exactOptional() }), 64),
  internal: z.boolean(),
  icc: z.boolean(),
  mtu: z.int().exactOptional(),
  options: z.record(name, text),
});

const topology = z
  .object({
    hostName: name,
    observedAt: name,
    networks: list(network, 4096),
    containers: list(container, 1024),
    namespaces: list(namespace, 1024),
    problems: list(text, 1024),
  })
  .transform((value) => ({ ...value, engines: [] }));

const knownHost = z.object({ name, address: ip, subnets: list(prefix, 4096) });
const view = z.object({ topology, peers: list(knownHost, 8192) });

const seen = { namespaceId: name, atMs: count, isAnswer: z.boolean(), flags: name, outer: packet.exactOptional() };
const sighting = z.object({
  ...seen,
  link,
  direction: z.enum(['in', 'out']),
  packet,
  otherHost: z.boolean().exactOptional(),
});
const verdict = z.object({
  ...seen,
  family: z.enum(['ip', 'ip6', 'inet', 'arp', 'bridge', 'netdev']),
  table: name,
  chain: name,
  rule: text.exactOptional(),
  comment: text.exactOptional(),
  verdict: z.enum(['accept', 'drop', 'reject', 'queue', 'continue']),
  input: link.exactOptional(),
  output: link.exactOptional(),
});
const drop = z.object({
  namespaceId: name,
  link: link.exactOptional(),
  reason: name,
  location: name.exactOptional(),
  packet,
  isAnswer: z.boolean(),
  flags: name,
  atMs: count,
});
const evidence = z.object({
  sightings: list(sighting, 4096),
  verdicts: list(verdict, 4096),
  counters: list(z.object({ namespaceId: name, counter: name, change: z.number() }), 8192),
  drops: list(drop, 4096),
  neighbours: list(z.object({ namespaceId: name, link, address: ip, macs: list(mac, 256) }), 16),
  legacyDrops: list(
    z.object({
      namespaceId: name,
      family: z.literal([4, 6]),
      table: name,
      chain: name,
      rule: text.exactOptional(),
      packets: count,
    }),
    256,
  ).exactOptional(),
  conntrack: z.object({ entries: count, limit: count }).exactOptional(),
  incomplete: list(text, 1024),
});

const problem = z.object({ message: text, hint: text.exactOptional() });

const answer = z.object({
  view: view.exactOptional(),
  armed: z.boolean().exactOptional(),
  evidence: evidence.exactOptional(),
  error: problem.exactOptional(),
});

const outcome = z.enum(['answered', 'refused', 'error', 'timeout']);
const question = z.union([
  z.strictObject({ watch: packet }),
  z.strictObject({ arm: packet }),
  z.strictObject({ collect: z.object({ outcome }) }),
]);

export interface FlowAnswer {
  view?: PeerView;
  armed?: boolean;
  evidence?: FlowEvidence;
  error?: { message: string; hint?: string };
}

/** Throws `failed`. */
export function parseAnswer(value: unknown): FlowAnswer {
  const { success, data, error } = answer.safeParse(value);
  if (success) return data;
  throw new NetyardError('failed', `its answer is invalid: ${describe(error)}`);
}

export type FlowQuestion = { watch: TracePacket } | { arm: TracePacket } | { collect: Pick<ProbeResult, 'outcome'> };

/** Throws `invalid`. */
export function parseQuestion(value: unknown): FlowQuestion {
  const { success, data, error } = question.safeParse(value);
  if (success) return data;
  throw new NetyardError('invalid', `invalid question about a flow: ${describe(error)}`);
}

function describe(error: z.ZodError): string {
  const [issue] = error.issues;
  return issue === undefined ? messageOf(error) : `${issue.path.join('.')} ${issue.message}`;
}
