/** Endpoints of a container, in create requests and in `network connect`. */
import { creating, intFlag, listFlag, stringFlag, stringsFlag } from './flags.ts';
import { linksWith } from './links.ts';
import { type FlagCommand, flag, list, map, none, object, text, whole, zero } from './shape.ts';

const connecting: readonly FlagCommand[] = ['network connect'];
const both: readonly FlagCommand[] = [...creating, ...connecting];

export const endpointIpam = object({
  IPv4Address: zero(text, {
    omitEmpty: true,
    flags: [stringFlag('ip', 'IPv4 address (e.g., 172.30.100.104)', { on: both })],
    remark: 'also on the default bridge',
  }),
  IPv6Address: zero(text, {
    omitEmpty: true,
    flags: [stringFlag('ip6', 'IPv6 address (e.g., 2001:db8::33)', { on: both })],
    remark: 'also on the default bridge',
  }),
  LinkLocalIPs: zero(list(text), {
    omitEmpty: true,
    flags: [
      listFlag('link-local-ip', 'Container IPv4/IPv6 link-local addresses'),
      stringsFlag('link-local-ip', 'Add a link-local address for the container', { on: connecting }),
    ],
  }),
});

const gatewayPriority = {
  flags: [
    intFlag('gw-priority', 'Highest gw-priority provides the default gateway. Accepts positive and negative values.', {
      on: connecting,
    }),
  ],
  also: ['network'],
};

/** Fields of requests. */
export const endpointRequest = {
  IPAMConfig: none(endpointIpam),
  ...linksWith({
    flags: [listFlag('link', 'Add link to another container', { on: connecting })],
    also: ['link'],
    remark: 'user-defined networks; on the default bridge `run --link` counts',
  }),
  Aliases: none(list(text), {
    flags: [
      listFlag('network-alias', 'Add network-scoped alias for the container'),
      stringsFlag('alias', 'Add network-scoped alias for the container', { on: connecting }),
    ],
    remark: 'user-defined networks only, as in Docker',
  }),
  MacAddress: zero(text, { since: 44, also: ['mac-address', 'network'] }),
  DriverOpts: none(map(text), {
    flags: [stringsFlag('driver-opt', 'driver options for the network', { on: connecting })],
    also: ['network'],
  }),
  GwPriority: zero(whole, { since: 48, ...gatewayPriority }),
} as const;

/** Additional fields of inspect. */
export const endpointState = {
  NetworkID: zero(text),
  EndpointID: zero(text),
  Gateway: zero(text),
  IPAddress: zero(text),
  IPPrefixLen: zero(whole),
  IPv6Gateway: zero(text),
  GlobalIPv6Address: zero(text),
  GlobalIPv6PrefixLen: zero(whole),
  DNSNames: zero(list(text)),
} as const;

/**
 * Clients that connect a container again send back what they read by inspect, the former MAC address included: Docker
 * ignores it before API 1.54. It accepts the gateway's priority of every version.
 */
const connectRequest = {
  ...endpointRequest,
  MacAddress: zero(text, { since: 54 }),
  GwPriority: zero(whole, gatewayPriority),
} as const;

export const networkConnect = {
  Container: zero(text, { required: true }),
  EndpointConfig: none(object(connectRequest)),
} as const;
export const networkDisconnect = {
  Container: zero(text, { required: true }),
  Force: zero(flag),
} as const;
