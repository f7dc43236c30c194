/** Kernel plans of the `ns` commands. Pure. */
import type { KernelObject, KernelPlan } from '@netyard/kernel';
import type { InterfaceArgument } from './interface-argument.ts';

/** Path of a namespace by name; undefined for '', the current one. */
export type PathOf = (name: string) => string | undefined;

const inNs = (path: string | undefined): { ns?: string } => (path === undefined ? {} : { ns: path });

/** A veth pair with the given names, namespaces and addresses; `up` sets both ends up. */
export function planPair(near: InterfaceArgument, far: InterfaceArgument, pathOf: PathOf, up: boolean): KernelPlan {
  const places = [near, far];
  const pair: KernelObject = {
    kind: 'veth',
    ...inNs(pathOf(near.ns)),
    name: near.link,
    up,
    peer: { ...inNs(pathOf(far.ns)), name: far.link, up },
  };
  return {
    owner: `${near.link} and ${far.link}`,
    objects: [pair, ...places.flatMap((place) => addressObjects(place, pathOf))],
  };
}

export const addressObjects = ({ ns, link, addresses }: InterfaceArgument, pathOf: PathOf): KernelObject[] =>
  addresses.map((prefix) => ({ kind: 'address', ...inNs(pathOf(ns)), link, prefix }));

/** An existing interface: set up or down, with additional addresses. */
export function planLink(place: InterfaceArgument, pathOf: PathOf, up: boolean | undefined): KernelPlan {
  const state: KernelObject[] =
    up === undefined ? [] : [{ kind: 'link-state', ...inNs(pathOf(place.ns)), name: place.link, up }];
  return { owner: `link ${place.link}`, objects: [...addressObjects(place, pathOf), ...state] };
}
