/**
 * Routes of a lab: what the file wrote down, and for routers the shortest way to every switch, as a person with a map
 * would write it. Pure. Refuses written routes that send packets in a circle.
 */
import { formatIp, type Ip, lastOf, parseIp, parsePrefix, prefixContains } from '@netyard/core';
import type { LabHost, LabRoute, LabSwitch } from './definition.ts';
import { LabFileError, type Path } from './lab-file-error.ts';

export interface WrittenRoute extends LabRoute {
  host: string;
  /** Where it stands in the file. */
  path: Path;
}

/** The hosts with all their routes: the written ones, then those that routers get by themselves. */
export function completeRoutes(
  hosts: readonly LabHost[],
  switches: readonly LabSwitch[],
  written: readonly WrittenRoute[],
): LabHost[] {
  const routers = hosts.filter((host) => host.role === 'router');
  const complete = hosts.map((host): LabHost => {
    const own = written.filter((route) => route.host === host.name).map(({ to, via }) => ({ to, via }));
    const found = host.role === 'router' ? shortestWays(host, routers, switches) : [];
    const routes = [...own, ...found.filter((route) => !own.some((other) => other.to === route.to))];
    return routes.length === 0 ? host : { ...host, routes };
  });
  refuseLoops(complete, switches, written);
  return complete;
}

/** A router's next hop to each switch that it is not on itself; none to those that no chain of routers leads to. */
function shortestWays(router: LabHost, routers: readonly LabHost[], switches: readonly LabSwitch[]): LabRoute[] {
  return switches.flatMap((target): LabRoute[] => {
    const distances = distancesTo(target, routers);
    const own = distances.get(router.name);
    if (own === undefined || own === 0) return [];
    for (const uplink of router.uplinks) {
      const neighbours = routers.flatMap((other) =>
        other.uplinks.filter((theirs) => theirs.switch === uplink.switch && distances.get(other.name) === own - 1),
      );
      const [next] = neighbours;
      if (next) return [{ to: target.prefix, via: formatIp(parsePrefix(next.address)) }];
    }
    return [];
  });
}

/** Routers by the number of routers between them and a switch. */
function distancesTo(target: LabSwitch, routers: readonly LabHost[]): Map<string, number> {
  const distances = new Map<string, number>();
  let reached = new Set([target.name]);
  for (let distance = 0; reached.size > 0; distance += 1) {
    const next = routers.filter(
      (router) => !distances.has(router.name) && router.uplinks.some((uplink) => reached.has(uplink.switch)),
    );
    for (const router of next) distances.set(router.name, distance);
    reached = new Set(next.flatMap((router) => router.uplinks.map((uplink) => uplink.switch)));
  }
  return distances;
}

/**
 * Follows a packet from every router to the first and the last address of every prefix that a route or a switch names.
 * In between, a narrower one of these decides, and is looked at itself.
 */
function refuseLoops(
  hosts: readonly LabHost[],
  switches: readonly LabSwitch[],
  written: readonly WrittenRoute[],
): void {
  const routers = hosts.filter((host) => host.role === 'router');
  const prefixes = [...switches.map((one) => one.prefix), ...written.map((route) => route.to)];
  for (const text of new Set(prefixes.flatMap((to) => (to === 'default' ? ['0.0.0.0/0', '::/0'] : [to])))) {
    const prefix = parsePrefix(text);
    for (const target of [prefix, lastOf(prefix)]) {
      for (const start of routers) {
        const circle = circleFrom(start, target, routers);
        if (!circle) continue;
        const words = [...circle, ...circle.slice(0, 1)].map((step) => step.router.name).join(' → ');
        const place = written.find((one) =>
          circle.some((step) => step.router.name === one.host && step.route.to === one.to),
        );
        throw new LabFileError(place?.path ?? ['routers'], `packets to ${text} would go in a circle: ${words}`);
      }
    }
  }
}

interface Step {
  router: LabHost;
  route: LabRoute;
}

/** The routers a packet comes by again and again; undefined when it arrives, is dropped, or leaves to a host. */
function circleFrom(start: LabHost, target: Ip, routers: readonly LabHost[]): Step[] | undefined {
  const steps: Step[] = [];
  let router: LabHost | undefined = start;
  while (router) {
    const here: LabHost = router;
    const seen = steps.findIndex((step) => step.router === here);
    if (seen >= 0) return steps.slice(seen);
    if (here.uplinks.some((uplink) => prefixContains(parsePrefix(uplink.address), target))) return undefined;
    const route = bestRoute(here, target);
    if (!route) return undefined;
    steps.push({ router: here, route });
    router = routers.find((one) => one.uplinks.some((uplink) => formatIp(parsePrefix(uplink.address)) === route.via));
  }
  return undefined;
}

/** The longest prefix that holds the address, as the kernel chooses. */
function bestRoute(host: LabHost, target: Ip): LabRoute | undefined {
  let best: { route: LabRoute; length: number } | undefined;
  for (const route of host.routes ?? []) {
    const prefix = route.to === 'default' ? { ...parseIp(route.via), value: 0n, length: 0 } : parsePrefix(route.to);
    if (prefixContains(prefix, target) && prefix.length >= (best?.length ?? 0)) best = { route, length: prefix.length };
  }
  return best?.route;
}
