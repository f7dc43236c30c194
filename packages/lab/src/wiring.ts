/** The cables of a lab as a plan for the kernel: a bridge per switch, a veth per uplink, addresses. Pure. */
import { formatIp, lastOf, parsePrefix } from '@netyard/core';
import type { KernelObject, KernelPlan } from '@netyard/kernel';
import type { LabDefinition, LabHost, LabUplink } from './definition.ts';

const bridgeName = 'bridge';

/** Paths of the namespaces: the switches' pins and the hosts' `/proc/PID/ns/net`. */
export interface LabNamespaces {
  ofSwitch(name: string): string;
  ofHost(name: string): string;
}

export function planWiring(lab: LabDefinition, namespaces: LabNamespaces): KernelPlan {
  const objects = [
    ...lab.switches.flatMap((one) => planSwitch(lab, one.name, namespaces)),
    ...lab.hosts.flatMap((host) => planHost(lab, host, namespaces)),
  ];
  return { owner: `lab ${lab.name}`, objects };
}

function planSwitch(lab: LabDefinition, name: string, namespaces: LabNamespaces): KernelObject[] {
  const ns = namespaces.ofSwitch(name);
  return [
    // A switch has no address of its own, and should not speak on the wire.
    { kind: 'sysctl', ns, key: 'net.ipv6.conf.all.disable_ipv6', value: '1' },
    { kind: 'sysctl', ns, key: 'net.ipv6.conf.default.disable_ipv6', value: '1' },
    { kind: 'bridge', ns, name: bridgeName, owner: `lab ${lab.name} switch ${name}`, up: true },
  ];
}

function planHost(lab: LabDefinition, host: LabHost, namespaces: LabNamespaces): KernelObject[] {
  const ns = namespaces.ofHost(host.name);
  return [
    { kind: 'link-state', ns, name: 'lo', up: true },
    // A new namespace inherits what the machine has set; a lab host starts like a fresh machine.
    { kind: 'sysctl', ns, key: 'net.ipv4.ip_forward', value: '0' },
    ...host.uplinks.flatMap((uplink) => planUplink(lab, host, uplink, namespaces)),
  ];
}

function planUplink(lab: LabDefinition, host: LabHost, uplink: LabUplink, namespaces: LabNamespaces): KernelObject[] {
  const ns = namespaces.ofHost(host.name);
  const prefix = parsePrefix(uplink.address);
  const broadcast = prefix.family === 4 ? { broadcast: formatIp(lastOf(prefix)) } : {};
  return [
    {
      kind: 'veth',
      ns: namespaces.ofSwitch(uplink.switch),
      name: portName(lab, uplink),
      owner: `lab ${lab.name} host ${host.name}`,
      master: bridgeName,
      up: true,
      peer: { ns, name: uplink.link, up: true },
    },
    { kind: 'address', ns, link: uplink.link, prefix: uplink.address, ...broadcast },
  ];
}

/** The switch's end of an uplink: numbered, for a link's name is short and a host's may be long. */
function portName(lab: LabDefinition, uplink: LabUplink): string {
  const cables = lab.hosts.flatMap((one) => one.uplinks);
  return `port${cables.indexOf(uplink)}`;
}
