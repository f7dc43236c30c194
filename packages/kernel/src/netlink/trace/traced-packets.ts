/**
 * Which messages of NFNLGRP_NFTRACE are about the probe: the group also carries those of other traces in the namespace,
 * whose packets other tables mark. Pure but for the ids that it remembers.
 */
import type { PacketHeaders, TraceMatch } from '../../packet-trace.ts';
import { icmp6Errors, icmpErrors, protocolNumber, protocolOf } from './match.ts';
import type { DecodedTrace } from './rule-message.ts';

/** Of each kind; the oldest are forgotten, because the kernel uses ids again. */
const maxRemembered = 4096;

export class TracedPackets {
  readonly #match: TraceMatch;
  /** Name of the table whose rules without verdict match this probe only. */
  readonly #table: string;
  readonly #ids = new Set<number>();
  readonly #connections = new Set<number>();
  readonly #signatures = new Set<string>();

  constructor(match: TraceMatch, table: string) {
    this.#match = match;
    this.#table = table;
  }

  /** Messages with headers decide for those that follow with the same id. */
  admit(step: DecodedTrace): boolean {
    const { headers, traceId, conntrack } = step;
    if (headers === undefined) return this.#ids.has(traceId);
    // The other rules of the table accept packets that are none of the probe's.
    const isMarked = step.table === this.#table && step.type === 'rule' && step.verdict === 'continue';
    const isOurs = isMarked || (isOfProbe(headers, this.#match) ?? this.#isRemembered(step, headers));
    this.#ids.delete(traceId);
    if (!isOurs) return false;
    remember(this.#ids, traceId);
    remember(this.#signatures, signatureOf(headers));
    if (conntrack !== undefined) remember(this.#connections, conntrack.id);
    return true;
  }

  /** Behind a bridge a packet has another id, and no message of our own table says so. */
  #isRemembered({ traceId, conntrack }: DecodedTrace, headers: PacketHeaders): boolean {
    if (this.#ids.has(traceId) || this.#signatures.has(signatureOf(headers))) return true;
    return conntrack !== undefined && this.#connections.has(conntrack.id);
  }
}

function remember<T>(values: Set<T>, value: T): void {
  values.delete(value);
  values.add(value);
  for (const oldest of values) {
    if (values.size <= maxRemembered) return;
    values.delete(oldest);
  }
}

/** What NAT and forwarding leave as it is in an ICMP error or a tunnel's packet. */
const signatureOf = ({ ipId, length, protocol, sourcePort, icmp }: PacketHeaders): string =>
  [ipId, length, protocol, sourcePort, icmp?.type, icmp?.code].join(' ');

/** Undefined when the recorded headers are too short to decide: what an ICMP error or a tunnel's packet contains. */
export function isOfProbe(headers: PacketHeaders, match: TraceMatch): boolean | undefined {
  const { protocol, icmp, inner } = headers;
  if (inner !== undefined) return isOfProbe(inner, match);
  if (icmp?.about !== undefined) return isOfProbe(icmp.about, match);
  if (icmp !== undefined && isError(protocol, icmp.type)) return undefined;
  if (headers.version === match.family && protocol === protocolOf(match)) {
    const { id, servicePorts = [id] } = match;
    if (match.protocol === 'icmp') return match.servicePorts ? icmp?.id !== undefined : icmp?.id === id;
    return [headers.sourcePort, headers.destinationPort].some(
      (port) => port !== undefined && servicePorts.includes(port),
    );
  }
  const { vxlanPorts = [4789] } = match;
  return protocol === protocolNumber.udp && vxlanPorts.includes(headers.destinationPort ?? 0) ? undefined : false;
}

const isError = (protocol: number, type: number): boolean =>
  protocol === protocolNumber.icmp6 ? icmp6Errors.includes(type) : icmpErrors.includes(type);
