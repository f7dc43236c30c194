/** Plans the links of a namespace as it was observed, with their other ends and bridges. Pure. */
import type { KernelObject } from '@netyard/kernel';
import { bridgeOf, type Crossing, isAddressed, joinedBridges } from '../joined-bridges.ts';
import type { HostNamespace, NamespaceLink } from '../model.ts';
import { ipStep, objectStep, type Step } from './steps.ts';

/** A namespace, and the path under which the script has it: undefined for the host's. */
export interface Place {
  namespace: HostNamespace;
  ns: string | undefined;
}

/** Finds the namespace of a link's other end. */
export type FindPlace = (namespaceId: string | undefined) => Place | undefined;

export interface LinkPlan {
  /** Namespaces other than the host's that the links lead to. */
  places: Place[];
  steps: Step[];
  notes: string[];
  /** Ends on the host whose routes belong to the namespace: those without a bridge. */
  routedEnds: { place: Place; link: NamespaceLink }[];
}

const inNamespace = (ns: string | undefined): { ns?: string } => (ns === undefined ? {} : { ns });
/** Usual MTUs are what the kernel chooses. */
const mtuOf = ({ mtu, name }: NamespaceLink): { mtu?: number } =>
  mtu === (name === 'lo' ? 65536 : 1500) ? {} : { mtu };
const ownerOf = ({ owner }: NamespaceLink): { owner?: string } => (owner === undefined ? {} : { owner });
const macOf = ({ mac }: NamespaceLink): { mac?: string } => (mac === undefined ? {} : { mac });

/** Those that the kernel does not derive from the link itself. */
export function addressSteps({ ns }: Place, link: NamespaceLink): Step[] {
  const derived = (prefix: string): boolean => /^fe[89ab]/.test(prefix) || (link.name === 'lo' && isLoopback(prefix));
  return link.addresses
    .filter((prefix) => !derived(prefix))
    .map((prefix) => objectStep({ kind: 'address', ...inNamespace(ns), link: link.name, prefix }));
}

const isLoopback = (prefix: string): boolean => prefix === '127.0.0.1/8' || prefix === '::1/128';

export function bridgeSteps(place: Place, bridge: NamespaceLink): Step[] {
  const object: KernelObject = {
    ...{ kind: 'bridge', ...inNamespace(place.ns), name: bridge.name, up: bridge.up },
    ...{ ...mtuOf(bridge), ...ownerOf(bridge) },
  };
  return [objectStep(object), ...addressSteps(place, bridge)];
}

/** Bridges and veth pairs that lead from a bridge to the one on which the host takes part. */
function gatewaySteps(place: Place, bridge: NamespaceLink): Step[] {
  if (isAddressed(bridge)) return [];
  const found = joinedBridges(place.namespace, bridge).find((joined) => isAddressed(joined.bridge));
  return found === undefined ? [] : found.crossings.flatMap((crossing) => crossingSteps(place, crossing));
}

/** The bridges that extend one, each with the pair that joins it. */
export const extensionSteps = (place: Place, bridge: NamespaceLink): Step[] =>
  joinedBridges(place.namespace, bridge).flatMap(({ crossings }) =>
    crossings.slice(-1).flatMap((crossing) => crossingSteps(place, crossing)),
  );

/** The far bridge, and the pair from the near one to it, which is written in the same way from both sides. */
function crossingSteps(place: Place, { port, far, bridge }: Crossing): Step[] {
  // The kernel creates the peer first.
  const [first, second] = port.index > far.index ? [port, far] : [far, port];
  const masterOf = (link: NamespaceLink): { master?: string } => {
    const master = bridgeOf(place.namespace, link)?.name;
    return master === undefined ? {} : { master };
  };
  const near: KernelObject = {
    ...{ kind: 'veth', ...inNamespace(place.ns), name: first.name, up: first.up, ...mtuOf(first), ...ownerOf(first) },
    ...masterOf(first),
    peer: { ...inNamespace(place.ns), name: second.name, up: second.up, ...masterOf(second) },
  };
  return [...bridgeSteps(place, bridge), objectStep(near)];
}

export function planLinks(place: Place, find: FindPlace): LinkPlan {
  const plan: LinkPlan = { places: [], steps: [], notes: [], routedEnds: [] };
  const { links } = place.namespace;
  // Bridges first: their members refer to them.
  for (const link of [...links].sort((a, b) => Number(b.kind === 'bridge') - Number(a.kind === 'bridge'))) {
    const problem = planLink(place, link, find, plan);
    if (problem !== undefined) plan.notes.push(`${link.name} is not included: ${problem}`);
    else if (link.kind !== 'bridge') plan.steps.push(...addressSteps(place, link));
  }
  return plan;
}

/** Why the link has no commands, or undefined. */
function planLink(place: Place, link: NamespaceLink, find: FindPlace, plan: LinkPlan): string | undefined {
  const base = { ...inNamespace(place.ns), name: link.name, up: link.up };
  switch (link.kind) {
    case undefined:
      if (link.name !== 'lo') return 'it is no virtual interface';
      if (link.up) plan.steps.push(objectStep({ kind: 'link-state', ...inNamespace(place.ns), name: 'lo', up: true }));
      return undefined;
    case 'veth':
      return planVeth(place, link, find, plan);
    case 'bridge':
      plan.steps.push(...bridgeSteps(place, link));
      return undefined;
    case 'dummy':
      plan.steps.push(objectStep({ kind: 'dummy', ...base, ...ownerOf(link) }));
      return undefined;
    case 'vxlan':
      if (link.vxlan === undefined) return 'its settings are unknown';
      plan.steps.push(objectStep({ kind: 'vxlan', ...base, ...link.vxlan, ...macOf(link), ...mtuOf(link) }));
      return undefined;
    default:
      return planAttached(place, link, find, plan);
  }
}

/** Links that are attached to another one. */
function planAttached(place: Place, link: NamespaceLink, find: FindPlace, plan: LinkPlan): string | undefined {
  const { kind, name, macvlanMode, ipvlan, vlanId, up } = link;
  const where = find(link.parent?.namespaceId);
  const parent = where?.namespace.links.find(({ index }) => index === link.parent?.index)?.name;
  if (parent === undefined || where === undefined)
    return link.parent === undefined ? `interfaces of kind ${kind} are not supported` : 'its parent cannot be seen';
  const base = { ...inNamespace(place.ns), name, parent, up };
  if (kind === 'vlan' && vlanId !== undefined && where.ns === place.ns) {
    plan.steps.push(
      ipStep('vlan', place.ns, 'link', 'add', 'link', parent, 'name', name, 'type', 'vlan', 'id', vlanId),
    );
    plan.steps.push(ipStep('vlan', place.ns, 'link', 'set', 'dev', name, up ? 'up' : 'down'));
  } else if (where.ns !== undefined) return 'its parent is in another namespace';
  else if (kind === 'macvlan' && macvlanMode !== undefined)
    plan.steps.push(objectStep({ kind, ...base, mode: macvlanMode, ...macOf(link), ...mtuOf(link) }));
  else if (kind === 'ipvlan' && ipvlan !== undefined)
    plan.steps.push(objectStep({ kind, ...base, ...ipvlan, ...mtuOf(link) }));
  else return `interfaces of kind ${kind} are not supported`;
  return undefined;
}

function planVeth(place: Place, link: NamespaceLink, find: FindPlace, plan: LinkPlan): string | undefined {
  const where = find(link.peer?.namespaceId);
  const far = where?.namespace.links.find(({ index }) => index === link.peer?.index);
  if (where === undefined || far === undefined) return 'the other end of the veth pair cannot be seen';
  if (link.masterIndex !== undefined) return 'it is a port of a bridge inside of the namespace';
  const isInside = where.namespace === place.namespace;
  if (isInside && far.index < link.index) return undefined; // created with the other end
  if (!isInside && where.ns !== undefined) plan.places.push(where);
  const bridge = where.namespace.links.find(({ index }) => index === far.masterIndex);
  if (far.masterIndex !== undefined && bridge?.kind !== 'bridge')
    plan.notes.push(`the master of ${far.name} is not included`);
  const master = bridge?.kind === 'bridge' ? bridge : undefined;
  if (master !== undefined) plan.steps.push(...bridgeSteps(where, master), ...gatewaySteps(where, master));
  else plan.routedEnds.push({ place: where, link: far });
  plan.steps.push(
    objectStep({
      ...{ kind: 'veth', ...inNamespace(where.ns), name: far.name, up: far.up, ...mtuOf(far), ...ownerOf(far) },
      ...(master === undefined ? {} : { master: master.name }),
      ...(far.hairpin ? { hairpin: true } : {}),
      ...(far.isolated ? { isolated: true } : {}),
      peer: { ...inNamespace(place.ns), name: link.name, up: link.up, ...macOf(link) },
    }),
    ...(isInside ? [] : addressSteps(where, far)),
  );
  return undefined;
}
