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

/**
 * Of several projects' containers those of the asker's project, else those of the projects with a container on most of its
 * networks: projects that share a network do not mix. Containers without a project count as one: a name that several of
 * them have stands for all.
 */
function prefer(
  index: EndpointIndex,
  { networks, project }: Asker,
  found: readonly EndpointNames[],
  projectOf: ProjectOf,
): readonly EndpointNames[] {
  const projects = new Map<string | undefined, number>();
  for (const { containerId } of found) {
    const shared = networks.filter(({ id }) => index.isOn(containerId, id)).length;
    const owner = projectOf(containerId);
    projects.set(owner, Math.max(shared, projects.get(owner) ?? 0));
  }
  if (projects.size < 2) return found;
  if (project !== undefined && projects.has(project))
    return found.filter(({ containerId }) => projectOf(containerId) === project);
  const most = Math.max(...projects.values());
  return found.filter(({ containerId }) => projects.get(projectOf(containerId)) === most);
}
