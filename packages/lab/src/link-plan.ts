/** The kernel plan of a lab's links: a bridge per switch, a veth pair per uplink, addresses, routes. Pure. */
import { createHash } from 'node:crypto';
import { formatIp, lastOf, parseIp, parsePrefix, prefixContains } from '@netyard/core';
import type { KernelObject, KernelPlan } from '@netyard/kernel';
import type { LabDefinition, LabHost, LabRoute, LabSwitch, LabUplink } from './definition.ts';

import type { LabNamespaces } from './layout.ts';

const bridgeName = 'bridge';

export function planLabLinks(lab: LabDefinition, namespaces: LabNamespaces): KernelPlan {
  const objects = [
    ...lab.switches.flatMap((one) => planSwitch(lab, one, namespaces)),
    ...lab.hosts.flatMap((host) => planHost(lab, host, namespaces)),
  ];
  return { owner: `lab ${lab.name}`, objects };
}

/** One host's part of the plan, for a host that boots again. */
export function planHostLinks(lab: LabDefinition, host: LabHost, namespaces: LabNamespaces): KernelPlan {
  return { owner: `lab ${lab.name} host ${host.name}`, objects: planHost(lab, host, namespaces) };
}

/** The switch's ends of a host's cables: deleting them deletes the cables. */
export function planPorts(lab: LabDefinition, host: LabHost, namespaces: LabNamespaces): KernelPlan {
  const objects = host.uplinks.map((uplink): KernelObject => {
    const ns = namespaces.ofSwitch(uplink.switch);
    return { kind: 'veth', ns, name: portName(lab, uplink), up: true, peer: { ns, name: uplink.link, up: true } };
  });
  return { owner: `lab ${lab.name} host ${host.name}`, objects };
}

/** Connects or disconnects a cable at the switch: the host's link keeps its settings and gains or loses its carrier. */
export function planCable(
  lab: LabDefinition,
  uplink: LabUplink,
  namespaces: LabNamespaces,
  state: 'up' | 'down',
): KernelPlan {
  const ns = namespaces.ofSwitch(uplink.switch);
  const port: KernelObject = { kind: 'link-state', ns, name: portName(lab, uplink), up: state === 'up' };
  return { owner: `lab ${lab.name} cable ${uplink.address}`, objects: [port] };
}

function planSwitch(lab: LabDefinition, { name, mtu }: LabSwitch, namespaces: LabNamespaces): KernelObject[] {
  const ns = namespaces.ofSwitch(name);
  const owner = `lab ${lab.name} switch ${name}`;
  return [
    // A switch has no address of its own and must not send packets.
    { kind: 'sysctl', ns, key: 'net.ipv6.conf.all.disable_ipv6', value: '1' },
    { kind: 'sysctl', ns, key: 'net.ipv6.conf.default.disable_ipv6', value: '1' },
    { kind: 'bridge', ns, name: bridgeName, ...(mtu === undefined ? {} : { mtu }), owner, up: true },
  ];
}

function planHost(lab: LabDefinition, host: LabHost, namespaces: LabNamespaces): KernelObject[] {
  const ns = namespaces.ofHost(host.name);
  const forward = host.role === 'router' ? '1' : '0';
  return [
    { kind: 'link-state', ns, name: 'lo', up: true },
    // A new namespace inherits the machine's setting; a lab host starts with defaults.
    { kind: 'sysctl', ns, key: 'net.ipv4.ip_forward', value: forward },
    ...(host.role === 'router' ? routerSettings(ns) : []),
    ...host.uplinks.flatMap((uplink) => planUplink(lab, host, uplink, namespaces)),
    ...(host.routes ?? []).map((route) => planRoute(ns, host, route)),
  ];
}

/** Allows asymmetric routes. */
function routerSettings(ns: string): KernelObject[] {
  const settings = {
    'net.ipv6.conf.all.forwarding': '1',
    'net.ipv4.conf.all.rp_filter': '0',
    'net.ipv4.conf.default.rp_filter': '0',
  };
  return Object.entries(settings).map(([key, value]) => ({ kind: 'sysctl', ns, key, value }));
}

function planUplink(lab: LabDefinition, host: LabHost, uplink: LabUplink, namespaces: LabNamespaces): KernelObject[] {
  const ns = namespaces.ofHost(host.name);
  const prefix = parsePrefix(uplink.address);
  const broadcast = prefix.family === 4 ? { broadcast: formatIp(lastOf(prefix)) } : {};
  const mtu = lab.switches.find((one) => one.name === uplink.switch)?.mtu;
  return [
    {
      kind: 'veth',
      ns: namespaces.ofSwitch(uplink.switch),
      name: portName(lab, uplink),
      ...(mtu === undefined ? {} : { mtu }),
      owner: `lab ${lab.name} host ${host.name}`,
      master: bridgeName,
      up: true,
      peer: { ns, name: uplink.link, mac: macOf(lab, host, uplink), up: true },
    },
    { kind: 'address', ns, link: uplink.link, prefix: uplink.address, ...broadcast },
  ];
}

function planRoute(ns: string, host: LabHost, route: LabRoute): KernelObject {
  const via = parseIp(route.via);
  const link = host.uplinks.find((uplink) => prefixContains(parsePrefix(uplink.address), via))?.link;
  return {
    kind: 'route',
    ns,
    to: route.to,
    family: via.family,
    via: route.via,
    ...(link === undefined ? {} : { link }),
  };
}

/**
 * The same at each boot of a host, as with a real network card, so that its neighbours' caches stay valid. Locally
 * administered.
 */
function macOf(lab: LabDefinition, host: LabHost, uplink: LabUplink): string {
  const digest = createHash('sha256').update(`${lab.name}/${host.name}/${uplink.link}`).digest();
  return ['02', ...(digest.subarray(0, 5).toString('hex').match(/../g) ?? [])].join(':');
}

/** Name of the switch's end of an uplink: numbered, because interface names are short and host names may be long. */
export function portName(lab: LabDefinition, uplink: LabUplink): string {
  const cables = lab.hosts.flatMap((one) => one.uplinks);
  return `port${cables.indexOf(uplink)}`;
}
