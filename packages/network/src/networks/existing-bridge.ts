/**
 * A network on a bridge that exists already (`com.docker.network.bridge.name`): its addresses and settings before the
 * network is created, so that its removal leaves the bridge as it was. Unlike Docker, no address of it is replaced.
 */
import { formatIp, NetyardError, networkOf, type Prefix, parseIp, parsePrefix, prefixContains } from '@netyard/core';
import type { Kernel } from '@netyard/kernel';
import type { IpamPool, NetworkRecord } from '../contract.ts';
import { perFamily } from '../family.ts';
import { plannerOfRecord } from '../lookup.ts';
import type { HostFacts } from '../model.ts';
import type { NetworkTable } from '../network-table.ts';
import { ownerPrefix } from '../object-names.ts';
import type { NetworkDraft } from './check.ts';

const nameOption = 'com.docker.network.bridge.name';

/** The draft with the bridge's addresses, if the bridge exists. Throws `failed` for one that the network cannot use. */
export async function adoptBridge<T extends NetworkDraft>(
  { kernel, networks }: { readonly kernel: Kernel; readonly networks: NetworkTable },
  draft: T,
): Promise<T> {
  const name = draft.options[nameOption];
  if (!name || networks.byLink(name) !== undefined) return draft;
  const found = (await kernel.listLinks()).find((link) => link.name === name);
  if (!found || found.owner?.startsWith(ownerPrefix)) return draft; // left behind by a crash
  if (found.kind !== 'bridge') throw new NetyardError('failed', `existing interface ${name} is not a bridge`);
  const addresses = (await kernel.listAddresses()).filter(({ link }) => link === name).map(({ prefix }) => prefix);
  const parsed = addresses.map(parsePrefix);
  const pools = perFamily((family) => draft.ipam[family]?.map((pool) => withGateway(pool, parsed)));
  return { ...draft, ipam: { ...draft.ipam, ...pools }, existingBridge: { addresses, sysctls: {} } };
}

/** The bridge's address in a requested subnet is the network's gateway. Docker's message for another one. */
function withGateway(pool: IpamPool, addresses: readonly Prefix[]): IpamPool {
  if (pool.subnet === '') return pool;
  const subnet = networkOf(parsePrefix(pool.subnet));
  const own = addresses.filter((address) => prefixContains(subnet, address)).map((address) => formatIp(address));
  const [first] = own;
  if (first === undefined || subnet.value === 0n) return pool;
  const gateway = pool.gateway === undefined ? first : formatIp(parseIp(pool.gateway));
  if (own.includes(gateway)) return { ...pool, gateway };
  const message = `bridge IPv${subnet.family} (${first}) does not match requested configuration ${gateway}`;
  throw new NetyardError('failed', message, {
    hint: `use --gateway ${first}; for another router add --aux-address DefaultGatewayIPv${subnet.family}=${gateway}`,
  });
}

/** Adds the settings that the network will change. */
export async function withFormerSettings(
  context: Parameters<typeof plannerOfRecord>[0] & { readonly kernel: Kernel; readonly facts: HostFacts },
  record: NetworkRecord,
): Promise<NetworkRecord> {
  const { existingBridge } = record;
  if (!existingBridge) return record;
  const sysctls: Record<string, string> = {};
  for (const object of plannerOfRecord(context, record).planNetwork(context.facts))
    if (object.kind === 'sysctl' && object.ns === undefined)
      sysctls[object.key] = (await context.kernel.readSysctl(object.key)).trim();
  return { ...record, existingBridge: { ...existingBridge, sysctls } };
}

/** After the removal of the network's objects, unless the bridge is gone. */
export async function restoreSettings(kernel: Kernel, record: NetworkRecord): Promise<void> {
  if (record.existingBridge === undefined) return;
  const link = record.options[nameOption];
  if (!(await kernel.listLinks()).some(({ name }) => name === link)) return;
  const objects = Object.entries(record.existingBridge.sysctls).map(([key, value]) => ({
    ...({ kind: 'sysctl', key, value } as const),
  }));
  await kernel.apply({ owner: `network ${record.name}`, objects });
}
