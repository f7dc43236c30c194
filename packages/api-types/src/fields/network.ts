/** Body of POST /networks/create. */
import { boolFlag, listFlag, mapFlag, stringFlag, stringsFlag } from './flags.ts';
import { type FlagCommand, flag, list, map, none, object, text, zero } from './shape.ts';

const on = { on: ['network create'] as readonly FlagCommand[] };

export const ipamPool = object({
  Subnet: zero(text, {
    omitEmpty: true,
    flags: [stringsFlag('subnet', 'Subnet in CIDR format that represents a network segment', on)],
  }),
  IPRange: zero(text, {
    omitEmpty: true,
    flags: [stringsFlag('ip-range', 'Allocate container ip from a sub-range', on)],
  }),
  Gateway: zero(text, {
    omitEmpty: true,
    flags: [stringsFlag('gateway', 'IPv4 or IPv6 Gateway for the master subnet', on)],
  }),
  AuxiliaryAddresses: zero(map(text), {
    omitEmpty: true,
    flags: [mapFlag('aux-address', 'Auxiliary IPv4 or IPv6 addresses used by Network driver', on)],
  }),
});

export const ipam = object({
  Driver: zero(text, {
    flags: [stringFlag('ipam-driver', 'IP Address Management Driver', { ...on, default: 'default' })],
    remark: 'default; there are no plugins',
  }),
  Options: zero(map(text), {
    flags: [mapFlag('ipam-opt', 'Set IPAM driver specific options', on)],
    status: { ignored: 'shown by inspect; the driver `default` has no options' },
  }),
  Config: zero(list(ipamPool)),
});

const configFrom = object({
  Network: zero(text, {
    flags: [stringFlag('config-from', 'The network from which to copy the configuration', on)],
  }),
});

export const networkCreate = {
  Name: zero(text, { required: true }),
  Driver: zero(text, {
    flags: [stringFlag('driver', 'Driver to manage the Network', { ...on, short: 'd', default: 'bridge' })],
  }),
  Scope: zero(text, {
    flags: [stringFlag('scope', "Control the network's scope", on)],
    remark: 'local; cluster or swarm for networks of the driver overlay, which need a cluster',
  }),
  EnableIPv4: none(flag, {
    since: 48,
    flags: [boolFlag('ipv4', 'Enable or disable IPv4 address assignment', { ...on, default: 'true' })],
  }),
  EnableIPv6: none(flag, {
    flags: [boolFlag('ipv6', 'Enable or disable IPv6 address assignment', on)],
    remark: 'false; not for overlay networks',
  }),
  IPAM: none(ipam),
  Internal: zero(flag, { flags: [boolFlag('internal', 'Restrict external access to the network', on)] }),
  Attachable: zero(flag, {
    flags: [boolFlag('attachable', 'Enable manual container attachment', on)],
    status: { ignored: 'shown by inspect; it has an effect in Swarm only' },
  }),
  Ingress: zero(flag, {
    flags: [boolFlag('ingress', 'Create swarm routing-mesh network', { ...on, dockerOnly: true })],
    status: { rejected: 'Ingress network can only be global scope network', code: 'forbidden', inOperation: true },
  }),
  ConfigOnly: zero(flag, {
    flags: [boolFlag('config-only', 'Create a configuration only network', on)],
  }),
  ConfigFrom: none(configFrom),
  Options: zero(map(text), { flags: [mapFlag('opt', 'Set driver specific options', { ...on, short: 'o' })] }),
  Labels: zero(map(text), { flags: [listFlag('label', 'Set metadata on a network', on)] }),
} as const;
