/**
 * Says what the elements of Netyard's nftables tables mean for two ends: a container and its network, a published port, a
 * link, a peer. The tables' chains are static, so the elements decide (decision 0016 and `firewall/table.ts`). Pure.
 */
import type { RuleItem } from '@netyard/page';

/** An element of a set or map, as plans have it. */
export interface PlannedElement {
  set: string;
  key: string;
  value?: string;
  comment?: string;
}

interface Meaning {
  effect: RuleItem['effect'];
  text: (element: PlannedElement) => string;
}

const quoted = (key: string): string => key.replaceAll('"', '');
const firstOf = (key: string): string => quoted(key).split(' . ')[0] ?? '';

const bothWays = (effect: RuleItem['effect'], text: (element: PlannedElement) => string): Meaning => ({ effect, text });

const masquerade = bothWays(
  'translates',
  ({ key }) => `packets from ${key} that leave the host get the host’s address (masquerade)`,
);
const fromPeer = bothWays('permits', ({ key }) => `packets of the peer’s containers are accepted: ${quoted(key)}`);
const toPeer = bothWays('permits', ({ key }) => `packets to the peer’s containers keep their source: ${quoted(key)}`);

/** By set; sets that are absent here say nothing about two ends. */
const meanings: Readonly<Record<string, Meaning>> = {
  icc_bridges: bothWays('permits', ({ key }) => `containers on ${firstOf(key)} reach each other`),
  no_icc_bridges: bothWays(
    'forbids',
    ({ key }) => `containers on ${firstOf(key)} reach each other only by links and published ports (icc=false)`,
  ),
  bridges: bothWays(
    'forbids',
    ({ key }) => `packets to ${quoted(key)} are dropped unless another rule here accepts them`,
  ),
  internal_bridges: bothWays('forbids', ({ key }) => `nothing is forwarded from or to ${quoted(key)}: it is internal`),
  unprotected_bridges: bothWays(
    'permits',
    ({ key }) => `every port on ${quoted(key)} is reachable from other hosts (gateway mode nat-unprotected)`,
  ),
  routed_bridges: bothWays(
    'permits',
    ({ key }) => `published ports on ${quoted(key)} are reachable without address translation (gateway mode routed)`,
  ),
  peer_bridges: bothWays('permits', ({ key }) => `containers of peers reach those on ${quoted(key)}`),
  trusted_ingress: bothWays(
    'permits',
    ({ key }) => `published ports are reachable at the containers’ addresses: ${quoted(key)}`,
  ),
  masqueraded: masquerade,
  masqueraded_24: masquerade,
  masqueraded_64: masquerade,
  source_addresses: bothWays(
    'translates',
    ({ key, value = '' }) => `packets from ${key} that leave the host get the address ${value}`,
  ),
  link_allow: bothWays('permits', ({ key }) => `the link accepts ${arrow(key)}`),
  published: bothWays('translates', published),
  published_any: bothWays('translates', published),
  direct_ports: bothWays('permits', ({ key }) => `${key.replaceAll(' . ', ' ')} is reachable without translation`),
  relayed_ports: bothWays('permits', ({ key }) => `the daemon relays ${key.replaceAll(' . ', ' ')}`),
  relayed_ports_any: bothWays('permits', ({ key }) => `the daemon relays ${key.replaceAll(' . ', ' ')}`),
  peer_ingress: fromPeer,
  peer_ingress_24: fromPeer,
  peer_ingress_64: fromPeer,
  peer_egress: toPeer,
  peer_egress_24: toPeer,
  peer_egress_64: toPeer,
  tunnel_peers: bothWays('permits', ({ key }) => `VXLAN packets from ${quoted(key)} are accepted`),
};

function arrow(key: string): string {
  const [from = '', to = '', protocol = '', port = ''] = key.split(' . ');
  return `${from} → ${to} ${port}/${protocol}`;
}

function published({ key, value = '' }: PlannedElement): string {
  const parts = key.split(' . ');
  const [protocol = '', port = ''] = parts.slice(-2);
  const where = parts.length > 2 ? `${parts[0]}:` : 'any address, port ';
  return `${where}${port}/${protocol} leads to ${value.replace(' . ', ':')}`;
}

/** One rule per element that has a meaning, in the order of the plan. */
export function describeRules<Element extends PlannedElement>(
  elements: readonly Element[],
  print: (element: Element) => string,
): RuleItem[] {
  return elements.flatMap((element) => {
    const meaning = meanings[element.set];
    return meaning ? [{ effect: meaning.effect, text: meaning.text(element), command: print(element) }] : [];
  });
}

/** The elements that belong to an edge of a container: to a published port, or to a link. */
export function selectElements<Element extends PlannedElement>(
  elements: readonly Element[],
  edge: { hostPort: number; protocol: string } | { linkTo: string },
): Element[] {
  if ('linkTo' in edge)
    return elements.filter(
      ({ set, comment = '' }) => set === 'link_allow' && comment.endsWith(` to ${edge.linkTo.slice(0, 12)}`),
    );
  const service = `${edge.protocol} . ${edge.hostPort}`;
  return elements.filter(
    ({ set, key }) => /^(?:published|relayed_ports)(?:_any)?$/.test(set) && ` . ${key}`.endsWith(` . ${service}`),
  );
}
