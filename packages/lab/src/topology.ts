/**
 * The sense of a lab file: who is on which switch with which address, and by which gateway they go. Pure. Refuses what
 * would stand up but not work: an address beside its switch, one given twice, a gateway that nobody is.
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
import { completeRoutes, type WrittenRoute } from './routing.ts';

interface Wire {
  definition: LabSwitch;
  prefix: Prefix;
}
type Wires = ReadonlyMap<string, Wire>;

/** A host before its routes are worked out. */
interface Draft {
  host: LabHost;
  path: Path;
  routes: Record<string, string>;
  /** In the words of the file: an address, or a router's name. */
  gateway?: string;
}

export function defineLab(file: LabFile): LabDefinition {
  const wires = readSwitches(file);
  const drafts = [
    ...Object.entries(file.hosts).map(([name, wanted]) => draftHost(name, wanted, wires)),
    ...Object.entries(file.routers ?? {}).map(([name, wanted]) => draftRouter(name, wanted, wires)),
  ];
  checkNames(drafts);
  const holders = addressHolders(drafts);
  const written = drafts.flatMap((draft) => readRoutes(draft, drafts, holders));
  const switches = [...wires.values()].map((wire) => wire.definition);
  const hosts = completeRoutes(
    drafts.map((draft) => draft.host),
    switches,
    written,
  );
  return { name: file.name, switches, hosts };
}

function readSwitches(file: LabFile): Wires {
  if (file.switch !== undefined && file.switches !== undefined)
    throw new LabFileError(['switch'], 'either one switch, or switches with names');
  const wanted = Object.entries(file.switch ? { [onlySwitch]: file.switch } : (file.switches ?? {}));
  if (wanted.length === 0)
    throw new LabFileError(['switches'], 'a lab needs a switch: `switch: PREFIX`, or `switches: { NAME: PREFIX, … }`');
  const wires = new Map<string, Wire>();
  for (const [name, { prefix: text, mtu }] of wanted) {
    const prefix = networkOf(parsePrefix(text));
    const other = [...wires.values()].find((one) => prefixesOverlap(one.prefix, prefix))?.definition;
    if (other) throw new LabFileError(['switches', name], `${text} overlaps the switch ${other.name}, ${other.prefix}`);
    const definition = { name, prefix: formatPrefix(prefix), ...(mtu === undefined ? {} : { mtu }) };
    wires.set(name, { definition, prefix });
  }
  return wires;
}

function draftHost(name: string, wanted: HostInFile, wires: Wires): Draft {
  const path = ['hosts', name];
  const on = wanted.switch ?? (wires.size === 1 ? [...wires.keys()][0] : undefined);
  if (on === undefined) throw new LabFileError(path, `on which switch? ${[...wires.keys()].join(', ')}`);
  const wire = findWire(on, wires, [...path, 'switch']);
  const address = readAddress(wanted.address, wire, [...path, 'address']);
  checkBip(path, wanted.bip, wires);
  const given = Array.isArray(wanted.daemon) ? wanted.daemon : undefined;
  if (given && wanted.options) throw new LabFileError([...path, 'options'], 'the options stand at `daemon` already');
  const services = Object.entries(wanted.services ?? {}).map(([service, { run, ready }]) => ({
    name: service,
    run,
    ...(ready === undefined ? {} : { ready }),
  }));
  return {
    path,
    routes: wanted.routes ?? {},
    ...(wanted.gateway === undefined ? {} : { gateway: wanted.gateway }),
    host: {
      name,
      uplinks: [{ switch: on, link: uplinkName, address }],
      ...(wanted.bip === undefined ? {} : { bip: wanted.bip }),
      daemon: wanted.daemon !== false,
      daemonOptions: given ?? wanted.options ?? [],
      ...(services.length === 0 ? {} : { services }),
    },
  };
}

function draftRouter(name: string, wanted: NonNullable<LabFile['routers']>[string], wires: Wires): Draft {
  const path = ['routers', name];
  const { routes, ...addresses } = wanted;
  const uplinks = Object.entries(addresses as Record<string, string>).map(([on, text]) => {
    const wire = findWire(on, wires, [...path, on]);
    return { switch: on, link: on, address: readAddress(text, wire, [...path, on]) };
  });
  if (uplinks.length === 0) throw new LabFileError(path, 'on no switch: `SWITCH: ADDRESS` for each that it joins');
  return { path, routes: routes ?? {}, host: { name, uplinks, role: 'router', daemon: false, daemonOptions: [] } };
}

function findWire(name: string, wires: Wires, path: Path): Wire {
  const wire = wires.get(name);
  if (wire) return wire;
  throw new LabFileError(path, `no switch is called ${name}; there are ${[...wires.keys()].join(', ')}`);
}

/** An address on a switch, with the switch's length, which may be left out. */
function readAddress(text: string, { definition, prefix: wire }: Wire, path: Path): string {
  const refuse = (message: string): LabFileError => new LabFileError(path, message);
  let address: Prefix;
  try {
    address = parsePrefix(text.includes('/') ? text : `${text}/${wire.length}`);
  } catch (error) {
    throw refuse(messageOf(error));
  }
  if (!prefixContains(wire, address)) throw refuse(`${text} is outside the ${nameOf(definition)}`);
  if (address.length !== wire.length)
    throw refuse(`${text} has not the length of the switch: write ${formatIp(address)}/${wire.length}`);
  if (address.value === wire.value || (wire.family === 4 && address.value === lastOf(wire).value))
    throw refuse(`${text} is no host's address: it is the first or the last of the switch`);
  return formatPrefix(address);
}

const nameOf = ({ name, prefix }: LabSwitch): string => `${name === onlySwitch ? name : `switch ${name}`}, ${prefix}`;

function checkBip(path: Path, bip: string | undefined, wires: Wires): void {
  const wanted = parsePrefix(bip ?? defaultBip);
  const wire = [...wires.values()].find((one) => prefixesOverlap(wanted, one.prefix));
  if (!wire) return;
  if (bip !== undefined) throw new LabFileError([...path, 'bip'], `${bip} overlaps the ${nameOf(wire.definition)}`);
  const net = formatPrefix(networkOf(wanted));
  throw new LabFileError(path, `Docker's default network ${net} overlaps the ${nameOf(wire.definition)}: give a bip`);
}

function checkNames(drafts: readonly Draft[]): void {
  const names = new Set<string>();
  for (const { host, path } of drafts) {
    if (names.has(host.name)) throw new LabFileError(path, `a host is called ${host.name} already`);
    names.add(host.name);
  }
}

/** Whose each address is, without prefix length. */
function addressHolders(drafts: readonly Draft[]): Map<string, Draft> {
  const holders = new Map<string, Draft>();
  for (const draft of drafts) {
    for (const uplink of draft.host.uplinks) {
      const address = formatIp(parsePrefix(uplink.address));
      const other = holders.get(address)?.host.name;
      const place = [...draft.path, draft.host.role === 'router' ? uplink.switch : 'address'];
      if (other !== undefined) throw new LabFileError(place, `${address} is the address of ${other} already`);
      holders.set(address, draft);
    }
  }
  return holders;
}

/** What the file says of a host's routes, its gateway among them. */
function readRoutes(draft: Draft, drafts: readonly Draft[], holders: ReadonlyMap<string, Draft>): WrittenRoute[] {
  const routes = Object.entries(draft.routes).map(([to, via]): WrittenRoute => {
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
  if (routes.some((one) => one.to === 'default')) throw new LabFileError(path, 'a default route is written already');
  const via = nextHop(routerAddress(draft.gateway, draft, drafts, path), draft, holders, path);
  return [...routes, { host: draft.host.name, path, to: 'default', via }];
}

function readDestination(text: string, draft: Draft, path: Path): string {
  if (text === 'default') return text;
  let prefix: Prefix;
  try {
    prefix = parsePrefix(text);
  } catch (error) {
    throw new LabFileError(path, `${messageOf(error)}: write a prefix, or default`);
  }
  const network = formatPrefix(networkOf(prefix));
  if (formatPrefix(prefix) !== network) throw new LabFileError(path, `${text} has host bits set: write ${network}`);
  if (prefix.length === 0) throw new LabFileError(path, 'write default');
  const own = draft.host.uplinks.find((uplink) => formatPrefix(networkOf(parsePrefix(uplink.address))) === network);
  if (own) throw new LabFileError(path, `${draft.host.name} is on ${network} itself`);
  return network;
}

/** A gateway may be called by a router's name: its address on the host's switch is meant. */
function routerAddress(text: string, draft: Draft, drafts: readonly Draft[], path: Path): string {
  const router = drafts.find(({ host }) => host.name === text && host.role === 'router')?.host;
  if (!router) return text;
  const shared = router.uplinks.find((theirs) => draft.host.uplinks.some((ours) => ours.switch === theirs.switch));
  const on = draft.host.uplinks.map((uplink) => uplink.switch).join(', ');
  if (!shared) throw new LabFileError(path, `router ${text} is not on ${on}`);
  return formatIp(parsePrefix(shared.address));
}

/** The next hop must be somebody on one of the host's own switches. */
function nextHop(text: string, draft: Draft, holders: ReadonlyMap<string, Draft>, path: Path): string {
  let address: string;
  try {
    address = formatIp(parseIp(text));
  } catch (error) {
    throw new LabFileError(path, messageOf(error));
  }
  const uplink = draft.host.uplinks.find((one) => prefixContains(parsePrefix(one.address), parseIp(address)));
  const on = draft.host.uplinks.map((one) => one.switch).join(', ');
  if (!uplink) throw new LabFileError(path, `${text} cannot be reached: it is not on ${on}`);
  const holder = holders.get(address);
  if (!holder) throw new LabFileError(path, `nobody on ${uplink.switch} has the address ${address}`);
  if (holder === draft) throw new LabFileError(path, `${address} is the address of ${draft.host.name} itself`);
  return address;
}
