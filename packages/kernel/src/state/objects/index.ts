/** The handler of each kind of object. nftables objects are applied in batches: see nft-batch.ts. */
import type { KernelObject, NftElementObject, NftTableObject, Observation } from '../../desired.ts';
import { printElement, setSpec } from '../../netlink/nft/element.ts';
import { tableSpec } from '../../netlink/nft/table.ts';
import type { Session } from '../../netlink/session.ts';
import { addressHandler, neighbourHandler, routeHandler } from './address.ts';
import { bridgeHandler } from './bridge.ts';
import { dummyHandler } from './dummy.ts';
import { fdbHandler } from './fdb.ts';
import { fileHandler, sysctlHandler } from './file.ts';
import { absent, isGone, type ObjectHandler } from './handler.ts';
import { ipvlanHandler } from './ipvlan.ts';
import { linkStateHandler } from './link.ts';
import { macvlanHandler } from './macvlan.ts';
import { neighbourProxyHandler } from './neighbour-proxy.ts';
import { netnsHandler } from './netns.ts';
import { compareElement, findElements, observeTable } from './nft-batch.ts';
import { nftRuleHandler } from './nft-rule.ts';
import { vethHandler } from './veth.ts';
import { vlanHandler } from './vlan.ts';
import { vxlanHandler } from './vxlan.ts';

export type PlainObject = Exclude<KernelObject, NftTableObject | NftElementObject>;

const handlers: { [K in PlainObject['kind']]: ObjectHandler<Extract<PlainObject, { kind: K }>> } = {
  netns: netnsHandler,
  bridge: bridgeHandler,
  veth: vethHandler,
  vxlan: vxlanHandler,
  macvlan: macvlanHandler,
  ipvlan: ipvlanHandler,
  vlan: vlanHandler,
  dummy: dummyHandler,
  fdb: fdbHandler,
  'link-state': linkStateHandler,
  address: addressHandler,
  route: routeHandler,
  neighbour: neighbourHandler,
  'neighbour-proxy': neighbourProxyHandler,
  sysctl: sysctlHandler,
  'nft-rule': nftRuleHandler,
  file: fileHandler,
};

export const isNft = (object: KernelObject): object is NftTableObject | NftElementObject =>
  object.kind === 'nft-table' || object.kind === 'nft-element';

/** The table above pairs kinds and handlers; TypeScript cannot infer that through an index. */
export const handlerOf = (object: PlainObject): ObjectHandler<PlainObject> =>
  handlers[object.kind] as unknown as ObjectHandler<PlainObject>;

/** Rejects an impossible object. Throws `invalid`. */
export function checkObject(object: KernelObject): void {
  if (object.kind === 'nft-table') tableSpec(object);
  else if (object.kind === 'nft-element') {
    setSpec(object);
    printElement(object);
  } else handlerOf(object).check(object);
}

/** Observes an object; `absent` also when its namespace does not exist. */
export function observeObject(session: Session, object: KernelObject): Observation {
  try {
    if (object.kind === 'nft-table') return observeTable(session, object);
    if (object.kind === 'nft-element') return compareElement(findElements(session, object.ns, [object])[0], object);
    return handlerOf(object).observe(session, object);
  } catch (error) {
    if (isGone(error)) return absent;
    throw error;
  }
}
