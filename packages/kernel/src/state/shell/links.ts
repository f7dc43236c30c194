/** Equivalent commands of links and VXLAN forwarding entries: ip(8) and bridge(8). Pure. */
import type {
  BridgeObject,
  DummyObject,
  FdbObject,
  IpvlanObject,
  LinkStateObject,
  MacvlanObject,
  VethObject,
  VlanObject,
  VxlanObject,
} from '../../desired.ts';
import { disableIpv6Key } from '../../system/sysctl.ts';
import { type EquivalentCommand, inside, line, netnsName, onOff, option, quoteWord, tool } from './command-line.ts';

const linkDeletion = ({ ns, name }: { ns?: string; name: string }): string[] => [
  line(...tool('ip', ns), 'link', 'delete', name),
];

function bridgeSettings({ ns, name, owner, up }: BridgeObject, more: string[] = []): string {
  const state = up ? 'up' : 'down';
  return line(...tool('ip', ns), 'link', 'set', 'dev', name, ...more, ...option('alias', owner), state);
}

export const bridgeCommand: EquivalentCommand<BridgeObject> = {
  create(bridge) {
    const { ns, name, mac, mtu, up, keep } = bridge;
    if (keep) return up ? [line(...tool('ip', ns), 'link', 'set', name, 'up')] : [];
    const options = [...option('address', mac), ...option('mtu', mtu)];
    return [line(...tool('ip', ns), 'link', 'add', 'name', name, ...options, 'type', 'bridge'), bridgeSettings(bridge)];
  },
  change: (bridge) =>
    bridge.keep
      ? bridgeCommand.create(bridge)
      : [bridgeSettings(bridge, [...option('address', bridge.mac), ...option('mtu', bridge.mtu)])],
  delete: linkDeletion,
};

/**
 * The `netns …` argument of the far end: none when both ends share a namespace; this shell's own namespace is addressed
 * through its process.
 */
function peerNetns(veth: VethObject): string {
  if (veth.peer.ns === veth.ns) return '';
  if (veth.peer.ns === undefined) return ' netns /proc/$$/ns/net';
  return ` netns ${quoteWord(netnsName(veth.peer.ns) ?? veth.peer.ns)}`;
}

/** Settings of both ends, in an order that the kernel accepts: port flags after the master, up last. */
function vethSettings(veth: VethObject, near: string[] = [], far: string[] = []): string[] {
  const { ns, name, owner, master, hairpin, isolated, up, peer } = veth;
  const port = [...onOff('hairpin', hairpin), ...onOff('isolated', isolated)];
  const settings = [...near, ...option('alias', owner), ...option('master', master)];
  return [
    ...(settings.length > 0 ? [line(...tool('ip', ns), 'link', 'set', 'dev', name, ...settings)] : []),
    ...(port.length > 0 ? [line(...tool('bridge', ns), 'link', 'set', 'dev', name, ...port)] : []),
    line(...tool('ip', ns), 'link', 'set', 'dev', name, up ? 'up' : 'down'),
    line(
      ...tool('ip', peer.ns),
      'link',
      'set',
      'dev',
      peer.name,
      ...far,
      ...option('master', peer.master),
      peer.up ? 'up' : 'down',
    ),
  ];
}

export const vethCommand: EquivalentCommand<VethObject> = {
  create(veth) {
    const { ns, name, mtu, peer } = veth;
    const far = ['peer', 'name', peer.name, ...option('address', peer.mac), ...option('mtu', mtu)];
    const add = line(...tool('ip', ns), 'link', 'add', 'name', name, ...option('mtu', mtu), 'type', 'veth', ...far);
    const setting = `${disableIpv6Key(veth)}=1`;
    const withoutIpv6 = veth.disableIpv6 ? [line(...inside(ns), 'sysctl', '-q', '-w', setting)] : [];
    return [add + peerNetns(veth), ...withoutIpv6, ...vethSettings(veth)];
  },
  change(veth) {
    const mtu = option('mtu', veth.mtu);
    return vethSettings(veth, mtu, [...option('address', veth.peer.mac), ...mtu]);
  },
  delete: linkDeletion,
};

function vxlanLines(vxlan: VxlanObject, verb: 'add' | 'set'): string[] {
  const { ns, name, id, port, local, learning, mac, mtu, owner, up } = vxlan;
  const ip = tool('ip', ns);
  const settings = [...option('address', mac), ...option('mtu', mtu)];
  const fixed = ['id', String(id), ...option('local', local), 'dstport', String(port), learning ? '' : 'nolearning'];
  const state = [...option('alias', owner), up ? 'up' : 'down'];
  if (verb === 'add')
    return [
      line(...ip, 'link', 'add', 'name', name, ...settings, 'type', 'vxlan', ...fixed),
      line(...ip, 'link', 'set', 'dev', name, ...state),
    ];
  return [
    ...(local === undefined ? [] : [line(...ip, 'link', 'set', 'dev', name, 'type', 'vxlan', 'local', local)]),
    ...(mac === undefined ? [] : [setMacIfDifferent(vxlan, mac)]),
    line(...ip, 'link', 'set', 'dev', name, ...option('mtu', mtu), ...state),
  ];
}

/** Sets the MAC only if it differs: setting the same MAC would flush the neighbours of the link. */
const setMacIfDifferent = ({ ns, name }: VxlanObject, mac: string): string => {
  const ip = tool('ip', ns);
  const set = line(...ip, 'link', 'set', 'dev', name, 'address', mac);
  return `${line(...ip, 'link', 'show', 'dev', name)} | grep -qF ${quoteWord(mac)} || ${set}`;
};

export const vxlanCommand: EquivalentCommand<VxlanObject> = {
  create: (vxlan) => vxlanLines(vxlan, 'add'),
  change: (vxlan) => vxlanLines(vxlan, 'set'),
  delete: linkDeletion,
};

/** The MAC of a passthru link can only be set after its creation. */
function macvlanLines(macvlan: MacvlanObject, verb: 'add' | 'set'): string[] {
  const { ns, name, parent, mode, mac, mtu, owner, up } = macvlan;
  const isPassthru = mode === 'passthru';
  const netns = ns === undefined ? [] : ['netns', netnsName(ns) ?? ns];
  const type = ['type', 'macvlan', 'mode', mode];
  const [address, state] = [option('address', mac), [...option('alias', owner), up ? 'up' : 'down']];
  const set = (...settings: string[]): string => line(...tool('ip', ns), 'link', 'set', 'dev', name, ...settings);
  if (verb === 'set') return [...(isPassthru ? [] : [set(...type)]), set(...address, ...option('mtu', mtu), ...state)];
  const settings = [...netns, ...(isPassthru ? [] : address), ...option('mtu', mtu)];
  return [
    line('ip', 'link', 'add', 'link', parent, 'name', name, ...settings, ...type),
    set(...(isPassthru ? address : []), ...state),
  ];
}

export const macvlanCommand: EquivalentCommand<MacvlanObject> = {
  create: (macvlan) => macvlanLines(macvlan, 'add'),
  change: (macvlan) => macvlanLines(macvlan, 'set'),
  delete: linkDeletion,
};

function ipvlanLines(ipvlan: IpvlanObject, verb: 'add' | 'set'): string[] {
  const { ns, name, parent, mode, flag, mtu, up } = ipvlan;
  const netns = ns === undefined ? [] : ['netns', netnsName(ns) ?? ns];
  const type = ['type', 'ipvlan', 'mode', mode, flag];
  const set = (...settings: string[]): string => line(...tool('ip', ns), 'link', 'set', 'dev', name, ...settings);
  const state = up ? 'up' : 'down';
  if (verb === 'set') return [set(...type), set(...option('mtu', mtu), state)];
  return [
    line('ip', 'link', 'add', 'link', parent, 'name', name, ...netns, ...option('mtu', mtu), ...type),
    set(state),
  ];
}

export const ipvlanCommand: EquivalentCommand<IpvlanObject> = {
  create: (ipvlan) => ipvlanLines(ipvlan, 'add'),
  change: (ipvlan) => ipvlanLines(ipvlan, 'set'),
  delete: linkDeletion,
};

const describedState = ({ ns, name, owner, up }: VlanObject | DummyObject): string =>
  line(...tool('ip', ns), 'link', 'set', 'dev', name, ...option('alias', owner), up ? 'up' : 'down');

export const vlanCommand: EquivalentCommand<VlanObject> = {
  create: (vlan) => [
    line(
      ...[...tool('ip', vlan.ns), 'link', 'add', 'link', vlan.parent, 'name', vlan.name],
      ...['type', 'vlan', 'id', String(vlan.id)],
    ),
    describedState(vlan),
  ],
  change: (vlan) => [describedState(vlan)],
  delete: linkDeletion,
};

export const dummyCommand: EquivalentCommand<DummyObject> = {
  create: (dummy) => [
    line(...tool('ip', dummy.ns), 'link', 'add', 'name', dummy.name, 'type', 'dummy'),
    describedState(dummy),
  ],
  change: (dummy) => [describedState(dummy)],
  delete: linkDeletion,
};

const fdbLine = (verb: 'add' | 'replace' | 'delete', { ns, link, mac, remote }: FdbObject): string =>
  line(...tool('bridge', ns), 'fdb', verb, mac, 'dev', link, ...(verb === 'delete' ? [] : ['dst', remote]));

export const fdbCommand: EquivalentCommand<FdbObject> = {
  create: (entry) => [fdbLine('add', entry)],
  change: (entry) => [fdbLine('replace', entry)],
  delete: (entry) => [fdbLine('delete', entry)],
};

function linkState({ ns, name, up, mtu, mac }: LinkStateObject): string[] {
  const state = up === undefined ? [] : [up ? 'up' : 'down'];
  const settings = [...option('address', mac), ...option('mtu', mtu), ...state];
  return settings.length === 0 ? [] : [line(...tool('ip', ns), 'link', 'set', 'dev', name, ...settings)];
}

export const linkStateCommand: EquivalentCommand<LinkStateObject> = {
  create: linkState,
  change: linkState,
  delete: () => [],
};
