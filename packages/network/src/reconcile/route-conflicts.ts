/**
 * Routes of other programs that take packets to containers elsewhere, such as those of a VPN that starts after the network
 * was created: each is reported once when it appears, and once when it is gone.
 */
import { type Logger, parsePrefix, prefixesOverlap } from '@netyard/core';
import type { Kernel, ObservedRoute } from '@netyard/kernel';
import type { NetworkEvent, NetworkSettings } from '../contract.ts';
import { valuesOf } from '../family.ts';
import { bridgeOf } from '../lookup.ts';
import type { FamilySettings } from '../model.ts';
import type { NetworkTable } from '../network-table.ts';

/** Dependencies of the functions in this file. */
export interface RouteConflictsDependencies {
  readonly kernel: Pick<Kernel, 'listRoutes'>;
  readonly settings: NetworkSettings;
  readonly logger: Logger;
  readonly networks: NetworkTable;
  mtuLimit: number | undefined;
  emit(event: Omit<NetworkEvent, 'type'>): void;
}

const mainTable = 254;

interface Conflict {
  networkId: string;
  detail: string;
}

export class RouteConflicts {
  /** By network and route. */
  #known = new Map<string, Conflict>();

  async check(context: RouteConflictsDependencies): Promise<void> {
    const routes = await context.kernel.listRoutes();
    const found = new Map<string, Conflict>(
      routes.flatMap((route) => {
        const conflict = findConflict(context, route);
        return conflict ? [[`${conflict.networkId} ${conflict.detail}`, conflict] as const] : [];
      }),
    );
    const [former, present] = [this.#known, found];
    this.#known = found;
    for (const [key, conflict] of present) if (!former.has(key)) report(context, 'conflict', conflict);
    for (const [key, conflict] of former) if (!present.has(key)) report(context, 'conflict-end', conflict);
  }
}

/** The network with a subnet that overlaps with a route's destination: only such routes can conflict. At most one has it. */
export function networkOfRoute(networks: Pick<NetworkTable, 'subnets'>, to: string): string | undefined {
  return /^[\da-f]*[.:]/i.test(to) ? networks.subnets.overlapping(prefixOf(to)) : undefined;
}

const prefixOf = (to: string): string => (to.includes('/') ? to : `${to}/${to.includes(':') ? 128 : 32}`);

/** A route equal to a network's subnet or inside it, which precedes the bridge's. */
function findConflict(context: RouteConflictsDependencies, route: ObservedRoute): Conflict | undefined {
  const { to, via, link, table } = route;
  if (table !== mainTable) return undefined;
  if (link !== undefined && context.networks.byLink(link) !== undefined) return undefined;
  const networkId = networkOfRoute(context.networks, to);
  const bridge = networkId === undefined ? undefined : bridgeOf(context, networkId);
  if (networkId === undefined || !bridge) return undefined;
  const parsed = parsePrefix(prefixOf(to));
  const taken = valuesOf<FamilySettings>(bridge).find(({ subnet }) => {
    const own = parsePrefix(subnet);
    return own.family === parsed.family && parsed.length >= own.length && prefixesOverlap(parsed, own);
  });
  if (!taken) return undefined;
  const where = `${via === undefined ? '' : ` via ${via}`}${link === undefined ? '' : ` dev ${link}`}`;
  return { networkId, detail: `route ${to}${where} takes packets to containers in ${taken.subnet} elsewhere` };
}

function report(
  context: RouteConflictsDependencies,
  action: 'conflict' | 'conflict-end',
  { networkId, detail }: Conflict,
): void {
  const network = context.networks.get(networkId);
  if (!network) return;
  const { name: networkName, driver } = network;
  context.emit({ action, networkId, networkName, driver, detail });
  if (action === 'conflict')
    context.logger.warn(`${detail}: delete the route, or create the network with another --subnet`, {
      network: networkName,
    });
  else context.logger.info(`no longer so: ${detail}`, { network: networkName });
}
