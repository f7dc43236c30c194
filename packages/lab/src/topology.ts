/**
 * Validates the meaning of a lab file: switches, addresses, gateways. Rejects labs that could be created but would not
 * work: an address outside its switch, a duplicate address, an unknown gateway. Pure.
 */
import {
  formatIp,
  formatPrefix,
  lastOf,
  messageOf,
  networkOf,
  type Prefix,
  parseIp,
  parsePrefix,
  prefixContains,
  prefixesOverlap,
} from '@netyard/core';
import { defaultBip, type LabDefinition, type LabHost, type LabSwitch, onlySwitch, uplinkName } from './definition.ts';
import { LabFileError, type Path } from './lab-file-error.ts';
import type { HostInFile, LabFile } from './lab-schema.ts';
import { type ConfiguredRoute, completeRoutes } from './routing.ts';

interface Wire {
  definition: LabSwitch;
  prefix: Prefix;
}
type Wires = ReadonlyMap<string, Wire>;

/** A host before its routes are computed. */
interface Draft {
  host: LabHost;
  path: Path;
  routes: Record<string, string>;
  /** As written in the file: an address, or a router's name. */
  gateway?: string;
}

export function defineLab(file: LabFile): LabDefinition {
  const wires = readSwitches(file);
  const drafts = [
    ...Object.entries(file.hosts).map(([name, config]) => draftHost(name, config, wires)),
    ...Object.entries(file.routers ?? {}).map(([name, config]) => draftRouter(name, config, wires)),
  ];
  checkNames(drafts);
  const holders = addressHolders(drafts);
  const configured = drafts.flatMap((draft) => readRoutes(draft, drafts, holders));
  const switches = [...wires.values()].map((wire) => wire.definition);
  const hosts = completeRoutes(
    drafts.map((draft) => draft.host),
    switches,
    configured,
  );
  return { name: file.name, switches, hosts };
}

function readSwitches(file: LabFile): Wires {
  if (file.switch !== undefined && file.switches !== undefined)
    throw new LabFileError(['switch'], 'use either `switch` or `switches`');
  const declared = Object.entries(file.switch ? { [onlySwitch]: file.switch } : (file.switches ?? {}));
  if (declared.length === 0)
    throw new LabFileError(
      ['switches'],
      'a lab requires a switch: `switch: PREFIX`, or `switches: { NAME: PREFIX, … }`',
    );
  const wires = new Map<string, Wire>();
  for (const [name, { prefix: text, mtu }] of declared) {
    const prefix = networkOf(parsePrefix(text));
    const other = [...wires.values()].find((one) => prefixesOverlap(one.prefix, prefix))?.definition;
    if (other)
      throw new LabFileError(['switches', name], `${text} overlaps with switch ${other.name}, ${other.prefix}`);
    const definition = { name, prefix: formatPrefix(prefix), ...(mtu === undefined ? {} : { mtu }) };
    wires.set(name, { definition, prefix });
  }
  return wires;
}

function draftHost(name: string, config: HostInFile, wires: Wires): Draft {
  const path = ['hosts', name];
  const on = config.switch ?? (wires.size === 1 ? [...wires.keys()][0] : undefined);
  if (on === undefined) throw new LabFileError(path, `requires a switch: one of ${[...wires.keys()].join(', ')}`);
  const wire = findWire(on, wires, [...path, 'switch']);
  const address = readAddress(config.address, wire, [...path, 'address']);
  checkBip(path, config.bip, wires);
  const optionList = Array.isArray(config.daemon) ? config.daemon : undefined;
  if (optionList && config.options)
    throw new LabFileError([...path, 'options'], 'the options are already set by `daemon`');
  const services = Object.entries(config.services ?? {}).map(([service, { run, ready }]) => ({
    name: service,
    run,
    ...(ready === undefined ? {} : { ready }),
  }));
  return {
    path,
    routes: config.routes ?? {},
    ...(config.gateway === undefined ? {} : { gateway: config.gateway }),
    host: {
      name,
      uplinks: [{ switch: on, link: uplinkName, address }],
      ...(config.bip === undefined ? {} : { bip: config.bip }),
      daemon: config.daemon !== false,
      daemonOptions: optionList ?? config.options ?? [],
      ...(services.length === 0 ? {} : { services }),
    },
  };
}

function draftRouter(name: string, config: NonNullable<LabFile['routers']>[string], wires: Wires): Draft {
  const path = ['routers', name];
  const { routes, ...addresses } = config;
  const uplinks = Object.entries(addresses as Record<string, string>).map(([on, text]) => {
    const wire = findWire(on, wires, [...path, on]);
    return { switch: on, link: on, address: readAddress(text, wire, [...path, on]) };
  });
  if (uplinks.length === 0) throw new LabFileError(path, 'requires a switch: add `SWITCH: ADDRESS` for each');
  return { path, routes: routes ?? {}, host: { name, uplinks, role: 'router', daemon: false, daemonOptions: [] } };
}

function findWire(name: string, wires: Wires, path: Path): Wire {
  const wire = wires.get(name);
  if (wire) return wire;
  throw new LabFileError(path, `unknown switch ${name}; known are ${[...wires.keys()].join(', ')}`);
}

/** Parses an address on a switch; the prefix length is optional and must be the switch's. */
function readAddress(text: string, { definition, prefix: wire }: Wire, path: Path): string {
  const invalid = (message: string): LabFileError => new LabFileError(path, message);
  let address: Prefix;
  try {
    address = parsePrefix(text.includes('/') ? text : `${text}/${wire.length}`);
  } catch (error) {
    throw invalid(messageOf(error));
  }
  if (!prefixContains(wire, address)) throw invalid(`${text} is outside the ${nameOf(definition)}`);
  if (address.length !== wire.length)
    throw invalid(`${text} does not have the prefix length of the switch: use ${formatIp(address)}/${wire.length}`);
  if (address.value === wire.value || (wire.family === 4 && address.value === lastOf(wire).value))
    throw invalid(`${text} cannot be a host's address: it is the first or the last of the switch`);
  return formatPrefix(address);
}

const nameOf = ({ name, prefix }: LabSwitch): string => `${name === onlySwitch ? name : `switch ${name}`}, ${prefix}`;

function checkBip(path: Path, bip: string | undefined, wires: Wires): void {
  const bridge = parsePrefix(bip ?? defaultBip);
  const wire = [...wires.values()].find((one) => prefixesOverlap(bridge, one.prefix));
  if (!wire) return;
  if (bip !== undefined)
    throw new LabFileError([...path, 'bip'], `${bip} overlaps with the ${nameOf(wire.definition)}`);
  const net = formatPrefix(networkOf(bridge));
  throw new LabFileError(path, `Docker's default network ${net} overlaps with the ${nameOf(wire.definition)}: set bip`);
}

function checkNames(drafts: readonly Draft[]): void {
  const names = new Set<string>();
  for (const { host, path } of drafts) {
    if (names.has(host.name)) throw new LabFileError(path, `duplicate host name ${host.name}`);
    names.add(host.name);
  }
}

/** The host of each address; addresses without prefix length. */
function addressHolders(drafts: readonly Draft[]): Map<string, Draft> {
  const holders = new Map<string, Draft>();
  for (const draft of drafts) {
    for (const uplink of draft.host.uplinks) {
      const address = formatIp(parsePrefix(uplink.address));
      const other = holders.get(address)?.host.name;
      const path = [...draft.path, draft.host.role === 'router' ? uplink.switch : 'address'];
      if (other !== undefined) throw new LabFileError(path, `${address} is already the address of ${other}`);
      holders.set(address, draft);
    }
  }
  return holders;
}

/** The configured routes of a host, including its gateway. */
function readRoutes(draft: Draft, drafts: readonly Draft[], holders: ReadonlyMap<string, Draft>): ConfiguredRoute[] {
  const routes = Object.entries(draft.routes).map(([to, via]): ConfiguredRoute => {
    const path = [...draft.path, 'routes', to];
    return {
      host: draft.host.name,
      path,
      to: readDestination(to, draft, path),
      via: nextHop(via, draft, holders, path),
    };
  });
  if (draft.gateway === undefined) return routes;
  const path = [...draft.path, 'gateway'];
  if (routes.some((one) => one.to === 'default')) throw new LabFileError(path, 'a default route is already configured');
  const via = nextHop(routerAddress(draft.gateway, draft, drafts, path), draft, holders, path);
  return [...routes, { host: draft.host.name, path, to: 'default', via }];
}

function readDestination(text: string, draft: Draft, path: Path): string {
  if (text === 'default') return text;
  let prefix: Prefix;
  try {
    prefix = parsePrefix(text);
  } catch (error) {
    throw new LabFileError(path, `${messageOf(error)}: use a prefix, or default`);
  }
  const network = formatPrefix(networkOf(prefix));
  if (formatPrefix(prefix) !== network) throw new LabFileError(path, `${text} has host bits set: use ${network}`);
  if (prefix.length === 0) throw new LabFileError(path, 'use default');
  const own = draft.host.uplinks.find((uplink) => formatPrefix(networkOf(parsePrefix(uplink.address))) === network);
  if (own) throw new LabFileError(path, `${draft.host.name} is directly connected to ${network}`);
  return network;
}

/** Resolves a gateway: a router's name means its address on the host's switch. */
function routerAddress(text: string, draft: Draft, drafts: readonly Draft[], path: Path): string {
  const router = drafts.find(({ host }) => host.name === text && host.role === 'router')?.host;
  if (!router) return text;
  const shared = router.uplinks.find((theirs) => draft.host.uplinks.some((ours) => ours.switch === theirs.switch));
  const on = draft.host.uplinks.map((uplink) => uplink.switch).join(', ');
  if (!shared) throw new LabFileError(path, `router ${text} is not connected to ${on}`);
  return formatIp(parsePrefix(shared.address));
}

/** The next hop must be the address of a host on one of the host's own switches. */
function nextHop(text: string, draft: Draft, holders: ReadonlyMap<string, Draft>, path: Path): string {
  let address: string;
  try {
    address = formatIp(parseIp(text));
  } catch (error) {
    throw new LabFileError(path, messageOf(error));
  }
  const uplink = draft.host.uplinks.find((one) => prefixContains(parsePrefix(one.address), parseIp(address)));
  const on = draft.host.uplinks.map((one) => one.switch).join(', ');
  if (!uplink) throw new LabFileError(path, `${text} is unreachable: it is not on ${on}`);
  const holder = holders.get(address);
  if (!holder) throw new LabFileError(path, `no host on ${uplink.switch} has the address ${address}`);
  if (holder === draft) throw new LabFileError(path, `${address} is the own address of ${draft.host.name}`);
  return address;
}
