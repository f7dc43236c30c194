/**
 * Routes of a lab: the configured ones, and for routers the shortest path to every switch. Rejects configured routes
 * that cause a routing loop. Pure.
 */
import { formatIp, type Ip, lastOf, parseIp, parsePrefix, prefixContains } from '@netyard/core';
import type { LabHost, LabRoute, LabSwitch } from './definition.ts';
import { LabFileError, type Path } from './lab-file-error.ts';

export interface ConfiguredRoute extends LabRoute {
  host: string;
  /** Its path in the file. */
  path: Path;
}

/** The hosts with all their routes: the configured ones, then the computed ones of routers. */
export function completeRoutes(
  hosts: readonly LabHost[],
  switches: readonly LabSwitch[],
  configured: readonly ConfiguredRoute[],
): LabHost[] {
  const routers = hosts.filter((host) => host.role === 'router');
  const complete = hosts.map((host): LabHost => {
    const own = configured.filter((route) => route.host === host.name).map(({ to, via }) => ({ to, via }));
    const found = host.role === 'router' ? shortestPaths(host, routers, switches) : [];
    const routes = [...own, ...found.filter((route) => !own.some((other) => other.to === route.to))];
    return routes.length === 0 ? host : { ...host, routes };
  });
  rejectLoops(complete, switches, configured);
  return complete;
}

/** A router's next hop to each switch that it is not connected to; none for unreachable switches. */
function shortestPaths(router: LabHost, routers: readonly LabHost[], switches: readonly LabSwitch[]): LabRoute[] {
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

/** Number of hops from each router to a switch. */
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
 * Follows a packet from every router to the first and the last address of every prefix of a route or a switch. For the
 * addresses in between, a more specific prefix decides, which is checked as well.
 */
function rejectLoops(
  hosts: readonly LabHost[],
  switches: readonly LabSwitch[],
  configured: readonly ConfiguredRoute[],
): void {
  const routers = hosts.filter((host) => host.role === 'router');
  const prefixes = [...switches.map((one) => one.prefix), ...configured.map((route) => route.to)];
  for (const text of new Set(prefixes.flatMap((to) => (to === 'default' ? ['0.0.0.0/0', '::/0'] : [to])))) {
    const prefix = parsePrefix(text);
    for (const target of [prefix, lastOf(prefix)]) {
      for (const start of routers) {
        const loop = findLoop(start, target, routers);
        if (!loop) continue;
        const path = [...loop, ...loop.slice(0, 1)].map((step) => step.router.name).join(' → ');
        const place = configured.find((one) =>
          loop.some((step) => step.router.name === one.host && step.route.to === one.to),
        );
        throw new LabFileError(place?.path ?? ['routers'], `packets to ${text} would loop: ${path}`);
      }
    }
  }
}

interface Step {
  router: LabHost;
  route: LabRoute;
}

/** The routers of a packet's loop; undefined when it arrives, is dropped, or leaves to a host. */
function findLoop(start: LabHost, target: Ip, routers: readonly LabHost[]): Step[] | undefined {
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

/** Longest-prefix match, as in the kernel. */
function bestRoute(host: LabHost, target: Ip): LabRoute | undefined {
  let best: { route: LabRoute; length: number } | undefined;
  for (const route of host.routes ?? []) {
    const prefix = route.to === 'default' ? { ...parseIp(route.via), value: 0n, length: 0 } : parsePrefix(route.to);
    if (prefixContains(prefix, target) && prefix.length >= (best?.length ?? 0)) best = { route, length: prefix.length };
  }
  return best?.route;
}
