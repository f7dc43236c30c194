/** Where a trace passes on the map: its steps as nodes, one after the other. Pure. */
import type { NetworkItem, PageItem, TraceAnswer, TraceStepItem } from '../model.ts';

export interface TraceStop {
  /** Id of a node. */
  id: string;
  /** `stopped`: the packet got here, and no further. */
  state: 'passed' | 'stopped' | 'missing';
}

/** Consecutive steps at one node are one stop. A step that the map does not show, such as a foreign interface, has none. */
export function planRoute(answer: TraceAnswer, items: readonly PageItem[]): TraceStop[] {
  const stops: TraceStop[] = [];
  let isOver = false;
  for (const step of answer.steps) {
    const id = step.state === 'dropped' ? nodeOfDrop(step, answer, items, stops) : nodeOf(step, answer, items);
    isOver ||= step.state === 'missing';
    const path = id === undefined ? [] : [...pathTo(step, items, stops), id];
    for (const node of path)
      if (node !== stops.at(-1)?.id) stops.push({ id: node, state: isOver ? 'missing' : 'passed' });
    isOver ||= step.state === 'dropped';
  }
  const reached = stops.findLast(({ state }) => state === 'passed');
  if (reached && answer.outcome !== 'reached') reached.state = 'stopped';
  return stops;
}

/** The path to another host, where a packet first gets there: its peer on this host. */
function pathTo({ host }: TraceStepItem, items: readonly PageItem[], stops: readonly TraceStop[]): string[] {
  const peer = items.find(({ kind, name }) => kind === 'peer' && name === host);
  return peer === undefined || stops.some(({ id }) => id === peer.id) ? [] : [peer.id];
}

/** The bridge that the packet has reached, else the host whose rule drops it. */
function nodeOfDrop(
  step: TraceStepItem,
  answer: TraceAnswer,
  items: readonly PageItem[],
  stops: readonly TraceStop[],
): string | undefined {
  const last = items.find(({ id }) => id === stops.at(-1)?.id);
  if (last?.kind === 'network' || step.place !== answer.hostName) return last?.id;
  return items.find(({ kind, name }) => kind === 'host' && name === step.place)?.id;
}

function nodeOf(step: TraceStepItem, { hostName }: TraceAnswer, items: readonly PageItem[]): string | undefined {
  if (step.host !== undefined) return nodeElsewhere(step, step.host, items);
  const named = items.filter(({ name }) => name === step.place);
  if (step.place !== hostName) return named.find(({ kind }) => kind === 'container' || kind === 'peer')?.id;
  if (step.kind === 'rule') return undefined;
  const network = items.find((item) => item.kind === 'network' && isLinkOf(item, step.name));
  if (network !== undefined && step.kind !== 'route') return network.id;
  // The host's end of a container's interface is on the line to the container.
  return isEndOfContainer(step.name, items) ? undefined : named.find(({ kind }) => kind === 'host')?.id;
}

const isLinkOf = ({ link, segmentLinks = [] }: NetworkItem, name: string): boolean =>
  link === name || segmentLinks.includes(name);

const isEndOfContainer = (link: string, items: readonly PageItem[]): boolean =>
  items.some((item) => item.kind === 'container' && item.endpoints.some(({ hostLink }) => hostLink === link));

/** In the lane of another host: the host where the packet comes in, then the network's bridge, then the container. */
function nodeElsewhere(step: TraceStepItem, host: string, items: readonly PageItem[]): string | undefined {
  const lane = items.find(({ kind, name }) => kind === 'host' && name === host);
  if (lane === undefined) return items.find(({ kind, name }) => kind === 'peer' && name === host)?.id;
  const inside = items.filter((item) => item.kind !== 'host' && item.host === lane.id);
  if (step.place !== host)
    return inside.find(({ kind, name }) => kind === 'container' && `${host}/${name}` === step.place)?.id;
  if (step.kind === 'link') return step.direction === 'in' ? lane.id : undefined;
  return step.kind === 'bridge'
    ? inside.find(({ kind, id }) => kind === 'network' && isBridge(step.name, id))?.id
    : undefined;
}

/** Other hosts publish no bridges: the names of a network's bridges follow from its id, `HOST/ID`. */
function isBridge(link: string, networkId: string): boolean {
  const id = networkId.slice(networkId.lastIndexOf('/') + 1);
  if (id === 'bridge') return link === 'docker0';
  return link === `br-${id.slice(0, 12)}` || (link.startsWith(`nyb${id.slice(0, 10)}`) && link.length === 15);
}
