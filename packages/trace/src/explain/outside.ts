/** Causes at the end `outside`: what left this host by its uplink, and what can come in by it. Pure. */
import { commandLine } from '../command-line.ts';
import type { Conclusion } from '../model.ts';
import { isBehindPorts, isLoopback, publishedPorts, uplinkOf } from '../outside.ts';
import { withoutLength } from '../route-lookup.ts';
import {
  type CauseFinder,
  commandOf,
  endpointText,
  forward,
  nameOf,
  namespaceOf,
  notReached,
  placeName,
  publishCommand,
  type TraceCase,
} from './case.ts';

/** The packet left this host, which is all that can be seen of what is for outside. */
export const leftForOutside: CauseFinder = (trace) => {
  const { evidence, to, from, path } = trace;
  const { end } = path;
  // A packet of another program is for a real address, whose answer can come.
  const isStandIn = to.addresses.includes(trace.packet.destination);
  if (!to.isOutside || evidence === undefined || end.kind !== 'left' || !isStandIn) return undefined;
  const out = forward(evidence).findLast(
    ({ namespaceId, link, direction }) => namespaceId === end.namespaceId && link === end.link && direction === 'out',
  );
  if (out === undefined) return undefined;
  const place = placeName(trace, end.namespaceId);
  const { source } = out.packet;
  const own = namespaceOf(trace, end.namespaceId)?.links.flatMap(({ addresses }) => addresses.map(withoutLength));
  if (source !== undefined && !own?.includes(source)) return notTranslated(place, end, source);
  return {
    ...{ outcome: 'reached', cause: 'left-host', grade: 'observed' },
    sentence: `${nameOf(from)} reaches the outside of ${place}: its packet left by ${end.link} to ${end.nextHop} as ${source ?? 'its own'}; nothing beyond was asked for an answer.`,
  };
};

const notTranslated = (
  place: string,
  { link, nextHop }: { link: string; nextHop: string },
  source: string,
): Conclusion => ({
  ...{ outcome: 'unknown', cause: 'not-translated', grade: 'observed' },
  sentence: `Left ${place} by ${link} to ${nextHop} with the source address ${source}: answers return only if there is a route to it.`,
  fix: `add a route to ${source} there, or: ${commandLine`iptables -t nat -A POSTROUTING -s ${source} -o ${link} -j MASQUERADE`}`,
});

/** No port of the host leads to the container, or one on loopback only. */
export const closedToOutside: CauseFinder = (trace) => {
  const { from, to, request, topology } = trace;
  const { container } = to;
  if (!from.isOutside || container === undefined || !isBehindPorts(to) || request.port === undefined) return undefined;
  const ports = publishedPorts(container, request);
  if (ports.some((port) => !isLoopback(port))) return undefined;
  const what = `${request.port}/${request.protocol}`;
  const [near] = ports;
  if (near !== undefined)
    return notReached(
      'published-elsewhere',
      `${what} of ${container.name} is published on ${near.hostAddress} only, so nothing outside ${topology.hostName} reaches it.`,
      {
        grade: 'predicted',
        fix: `${commandOf(container)} run -p ${near.hostPort}:${what} … (without ${near.hostAddress})`,
      },
    );
  return notReached(
    'not-published',
    `${container.name} does not publish ${what}, so nothing outside ${topology.hostName} reaches it.`,
    { grade: 'predicted', fix: publishCommand(container, request.port, request.protocol) },
  );
};

/** Nothing is in the way of a packet that only another host can send. */
export function predictedFromOutside(trace: TraceCase): Conclusion | undefined {
  const { from, to, packet, topology } = trace;
  if (!from.isOutside || trace.evidence !== undefined) return undefined;
  const uplink = uplinkOf(topology, packet.destination.includes(':') ? 6 : 4);
  const by = uplink === undefined ? '' : ` by ${uplink.link}`;
  return {
    ...{ outcome: 'unknown', cause: 'predicted', grade: 'predicted' },
    sentence: `What comes in${by} for ${endpointText(packet)} is for ${nameOf(to)}, unless a firewall rule says otherwise: this host cannot send as if from outside.`,
    fix: `send a packet to ${endpointText(packet)} from another host`,
  };
}
