/** Identity of plan objects, and their description in messages. Pure. */
import type { KernelObject } from '../desired.ts';

/**
 * Key of the kernel object that a plan object describes: two with the same key are the same kernel object, perhaps with
 * different attributes.
 */
export function identityOf(object: KernelObject): string {
  const parts = 'ns' in object ? [object.ns ?? ''] : [''];
  switch (object.kind) {
    case 'netns':
    case 'file':
      parts.push(object.kind, object.path);
      break;
    case 'bridge':
    case 'veth':
    case 'vxlan':
    case 'macvlan':
    case 'ipvlan':
    case 'vlan':
    case 'dummy':
      parts.push('link', object.name);
      break;
    case 'link-state':
      parts.push(object.kind, object.name);
      break;
    case 'address':
      parts.push(object.kind, object.link, object.prefix);
      break;
    case 'route':
      parts.push(object.kind, routeFamily(object) === 4 ? 'inet' : 'inet6', object.to);
      parts.push(String(object.table ?? 254), String(object.metric ?? 0));
      break;
    case 'neighbour':
    case 'neighbour-proxy':
      parts.push(object.kind, object.link, object.address);
      break;
    case 'fdb':
      parts.push(object.kind, object.link, object.mac);
      break;
    case 'sysctl':
      parts.push(object.kind, object.key);
      break;
    case 'nft-table':
      parts.push(object.kind, object.family, object.name);
      break;
    case 'nft-element':
      parts.push(object.kind, object.family, object.table, object.set, object.key);
      break;
    case 'nft-rule':
      parts.push(object.kind, object.family, object.table, object.chain, object.comment);
  }
  return parts.join('\0');
}

/**
 * The address family of a route: explicit, or derived from its prefix, for `default` from its gateway; otherwise IPv4.
 */
export function routeFamily(route: { to: string; via?: string; family?: 4 | 6 }): 4 | 6 {
  if (route.family !== undefined) return route.family;
  return (route.to === 'default' ? (route.via ?? '') : route.to).includes(':') ? 6 : 4;
}

/** `veth ny1 in /run/netns/r1`. */
export function describeObject(object: KernelObject): string {
  const location = 'ns' in object && object.ns !== undefined ? ` in ${object.ns}` : '';
  return `${object.kind} ${nameOf(object)}${location}`;
}

function nameOf(object: KernelObject): string {
  switch (object.kind) {
    case 'netns':
    case 'file':
      return object.path;
    case 'address':
      return `${object.prefix} on ${object.link}`;
    case 'route':
      return object.to;
    case 'neighbour':
    case 'neighbour-proxy':
      return `${object.address} on ${object.link}`;
    case 'fdb':
      return `${object.mac} on ${object.link}`;
    case 'sysctl':
      return object.key;
    case 'nft-table':
      return `${object.family} ${object.name}`;
    case 'nft-element':
      return `${object.family} ${object.table} ${object.set} { ${object.key} }`;
    case 'nft-rule':
      return `${object.family} ${object.table} ${object.chain} { ${object.rule} }`;
    default:
      return object.name;
  }
}

/** The namespace that contains an object; undefined: the process's own, or none (files, namespaces themselves). */
export const namespaceOf = (object: KernelObject): string | undefined => ('ns' in object ? object.ns : undefined);
