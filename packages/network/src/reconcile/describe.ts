/** Names of kernel objects in messages and events. Pure. */
import type { KernelObject, KernelOperation } from '@netyard/kernel';
import type { NetworkEvent } from '../contract.ts';

/** A short description of one object, for messages. */
export function describe(object: KernelObject): string {
  switch (object.kind) {
    case 'netns':
    case 'file':
      return `${object.kind} ${object.path}`;
    case 'address':
      return `address ${object.prefix} on ${object.link}`;
    case 'route':
      return `route ${object.to}`;
    case 'neighbour':
      return `neighbour ${object.address}`;
    case 'neighbour-proxy':
      return `neighbour proxy ${object.address} on ${object.link}`;
    case 'fdb':
      return `fdb entry ${object.mac} dst ${object.remote}`;
    case 'sysctl':
      return `sysctl ${object.key}`;
    case 'nft-table':
      return `nft table ${object.family} ${object.name}`;
    case 'nft-rule':
      return `nft rule ${object.family} ${object.table} ${object.chain} { ${object.rule} }`;
    case 'nft-element':
      return `nft element ${object.set} { ${object.key} }`;
    default:
      return `${object.kind} ${object.name}`;
  }
}

/** What an event `repair` says of its operations. */
export function describeRepair(
  operations: readonly KernelOperation[],
): Pick<NetworkEvent, 'detail' | 'repaired' | 'operations'> {
  return {
    detail: operations.map(({ action, object }) => `${action} ${describe(object)}`).join('; '),
    repaired: operations.map(({ object }) => object.kind),
    operations,
  };
}
