/**
 * Docker's network modes: parses HostConfig.NetworkMode, and checks the create-time conflicts of each mode with Docker's
 * messages, in Docker's order (moby daemon/internal/runconfig). Pure. Start-time checks, which depend on other
 * containers, are in operations/shared-namespace.ts and links/check.ts.
 */
import { NetyardError, shortId } from '@netyard/core';
import type { ExposedPort, NetworkMode, PortRequest } from './contract.ts';

/** Parses `default`, `bridge`, `host`, `none`, `container:X` or a network's name or id. Throws `invalid`. */
export function parseNetworkMode(text: string): NetworkMode {
  if (text === '' || text === 'default') return { kind: 'default' };
  if (text === 'bridge' || text === 'host' || text === 'none') return { kind: text };
  if (text === 'container' || text.startsWith('container:')) {
    const ref = text.slice('container:'.length);
    if (ref === '')
      throw new NetyardError('invalid', 'invalid network mode: invalid container format container:<name|id>');
    return { kind: 'container', ref };
  }
  return { kind: 'network', ref: text };
}

/** The text of a mode, as `docker inspect` shows it. */
export function formatNetworkMode(mode: NetworkMode): string {
  if (mode.kind === 'container') return `container:${mode.ref}`;
  return mode.kind === 'network' ? mode.ref : mode.kind;
}

/** Name or id of the network that a mode stands for; undefined for `container:`. */
export function networkOfMode(mode: NetworkMode): string | undefined {
  if (mode.kind === 'container') return undefined;
  if (mode.kind === 'network') return mode.ref;
  return mode.kind === 'default' ? 'bridge' : mode.kind;
}

/** True where `--link` means Docker's legacy link rather than a DNS alias. */
export function hasLegacyLinks(mode: NetworkMode): boolean {
  return mode.kind === 'default' || mode.kind === 'bridge' || mode.kind === 'none';
}

/** Options of a create request, before values from the image or defaults are filled in. */
export interface ModeRequest {
  containerId?: string;
  mode: NetworkMode;
  hostname: string;
  links: readonly string[];
  dns: readonly string[];
  extraHosts: readonly string[];
  ports: readonly PortRequest[];
  publishAll: boolean;
  /** Only ports that the request exposes, not those of the image. */
  exposed: readonly ExposedPort[];
  utsMode?: string;
}

/** Throws `invalid` with Docker's message for the first conflict; returns warnings for options without effect. */
export function checkModeConflicts(request: ModeRequest): string[] {
  // The engine may have filled in the default hostname already: the user did not request that one.
  const asksHostname =
    request.hostname !== '' && (request.containerId === undefined || request.hostname !== shortId(request.containerId));
  const rejectIf = (condition: boolean, message: string): void => {
    if (condition) throw new NetyardError('invalid', message);
  };
  const undefinedBehavior = "can't be used with links. This would result in undefined behavior";
  if (request.mode.kind === 'container') {
    rejectIf(asksHostname, 'conflicting options: hostname and the network mode');
    rejectIf(request.links.length > 0, `conflicting options: container type network ${undefinedBehavior}`);
    rejectIf(request.dns.length > 0, 'conflicting options: dns and the network mode');
    rejectIf(request.extraHosts.length > 0, 'conflicting options: custom host-to-IP mapping and the network mode');
    rejectIf(
      request.ports.length > 0 || request.publishAll,
      'conflicting options: port publishing and the container type network mode',
    );
    rejectIf(request.exposed.length > 0, 'conflicting options: port exposing and the container type network mode');
  }
  rejectIf(request.utsMode === 'host' && asksHostname, 'conflicting options: hostname and the UTS mode');
  rejectIf(
    request.mode.kind === 'host' && request.links.length > 0,
    `conflicting options: host type networking ${undefinedBehavior}`,
  );
  if (request.mode.kind === 'host' && request.ports.length > 0)
    return ['Published ports are discarded when using host network mode'];
  return [];
}
