/**
 * Looks up names as one container sees them: on its own networks only, in the order of their gateways, the first network
 * that knows the name wins. `a.b.c` is looked up as a whole, then as `a.b` on network `c`, then as `a` on network `b.c`. Pure.
 */
import type { EndpointIndex, EndpointNames } from './endpoint-names.ts';

export interface AskedNetwork {
  id: string;
  name: string;
  /** Link aliases of this container alone, in lower case, with the name that each stands for. */
  aliases: ReadonlyMap<string, string>;
}

export interface Asker {
  /** Its networks, in the order in which they are searched. */
  networks: readonly AskedNetwork[];
  /** Containers of the same project are preferred if a name is ambiguous on a network. */
  project: string | undefined;
}

export type ProjectOf = (containerId: string) => string | undefined;

/** The endpoints that a name stands for; empty if it is unknown. */
export function findEndpoints(
  index: EndpointIndex,
  asker: Asker,
  text: string,
  projectOf: ProjectOf,
): readonly EndpointNames[] {
  const name = text.replace(/\.$/, '').toLowerCase();
  for (const { label, networks } of readings(asker, name)) {
    const found = searchAliases(index, networks, label) ?? searchNames(index, networks, label);
    if (found) return prefer(index, asker, found, projectOf);
  }
  return [];
}

/** The name of an address on the asker's networks: `NAME.NETWORK`. */
export function findName(index: EndpointIndex, { networks }: Asker, address: string): string | undefined {
  for (const { id, name } of networks) {
    const first = index.at(id, address)?.names[0];
    if (first !== undefined) return `${first}.${name}`;
  }
  return undefined;
}

interface Reading {
  label: string;
  networks: readonly AskedNetwork[];
}

function readings({ networks }: Asker, name: string): Reading[] {
  const result: Reading[] = [{ label: name, networks }];
  for (let dot = name.lastIndexOf('.'); dot > 0; dot = name.lastIndexOf('.', dot - 1)) {
    const suffix = name.slice(dot + 1);
    const named = networks.filter((network) => network.name.toLowerCase() === suffix);
    if (named.length > 0) result.push({ label: name.slice(0, dot), networks: named });
  }
  return result;
}

function searchAliases(
  index: EndpointIndex,
  networks: readonly AskedNetwork[],
  label: string,
): readonly EndpointNames[] | undefined {
  for (const { id, aliases } of networks) {
    const target = aliases.get(label);
    const found = target === undefined ? [] : index.named(id, target);
    if (found.length > 0) return found;
  }
  return undefined;
}

/** An alias of a link hides the containers of the same name on its network, also while its target does not run. */
function searchNames(
  index: EndpointIndex,
  networks: readonly AskedNetwork[],
  label: string,
): readonly EndpointNames[] | undefined {
  for (const { id, aliases } of networks) {
    const found = aliases.has(label) ? [] : index.named(id, label);
    if (found.length > 0) return found;
  }
  return undefined;
}

/** Those of the asker's project, else those on most of its networks: projects that share a network do not mix. */
function prefer(
  index: EndpointIndex,
  { networks, project }: Asker,
  found: readonly EndpointNames[],
  projectOf: ProjectOf,
): readonly EndpointNames[] {
  if (found.length < 2) return found;
  const own = project === undefined ? [] : found.filter(({ containerId }) => projectOf(containerId) === project);
  if (own.length > 0 || networks.length < 2) return own.length > 0 ? own : found;
  const shared = found.map(({ containerId }) => networks.filter(({ id }) => index.isOn(containerId, id)).length);
  const most = Math.max(...shared);
  return found.filter((_one, at) => shared[at] === most);
}
