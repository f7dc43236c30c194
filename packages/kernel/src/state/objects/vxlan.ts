/** Handler of VXLAN links. */
import { formatIp, parseIp } from '@netyard/core';
import type { VxlanObject } from '../../desired.ts';
import * as links from '../../netlink/rtnl/link.ts';
import { checkVxlan, type DecodedVxlan, type VxlanSettings } from '../../netlink/rtnl/vxlan-message.ts';
import { canonicalMac } from './link.ts';
import { linkHandler } from './link-handler.ts';

const otherSettings = ({ mac, mtu, owner }: VxlanObject): links.LinkSettings => ({
  ...(mac === undefined ? {} : { mac: canonicalMac(mac) }),
  ...(mtu === undefined ? {} : { mtu }),
  ...(owner === undefined ? {} : { alias: owner }),
});

const localOf = ({ local }: VxlanObject): string | undefined => local && formatIp(parseIp(local));

const hasOtherLocal = (desired: VxlanObject, found: VxlanSettings | undefined): boolean =>
  desired.local !== undefined && found?.local !== localOf(desired);

function vxlanSettings(object: VxlanObject): VxlanSettings {
  const local = localOf(object);
  const { id, port, learning = false } = object;
  return { id, port, learning, ...(local === undefined ? {} : { local }) };
}

const isIpv6 = (address: string | undefined): boolean => address?.includes(':') === true;

const familyDifferences = (local: string | undefined, found: DecodedVxlan | undefined): string[] => [
  ...(isIpv6(found?.local) === isIpv6(local) ? [] : ['of the other address family']),
  ...(found?.zeroChecksums && isIpv6(local) ? ['UDP without checksums'] : []),
];

export const vxlanHandler = linkHandler<VxlanObject>({
  kind: 'vxlan',
  check: checkVxlan,
  settings: (vxlan) => ({ up: vxlan.up, ...otherSettings(vxlan) }),
  fixedDifferences: (_session, { id, port, local, learning = false }, { vxlan: found }) => [
    ...(found?.id === id ? [] : [`id ${found?.id}`]),
    ...(found?.port === port ? [] : [`dstport ${found?.port}`]),
    ...(found?.learning === learning ? [] : ['learning differs']),
    ...familyDifferences(local, found),
  ],
  attributes: {
    differences: (vxlan, { vxlan: found }) => (hasOtherLocal(vxlan, found) ? [`local ${found?.local ?? 'any'}`] : []),
    change(session, vxlan, { vxlan: former }) {
      const local = localOf(vxlan);
      if (local === undefined || !hasOtherLocal(vxlan, former)) return () => undefined;
      links.moveVxlan(session.route(vxlan.ns), vxlan.name, local);
      return () => links.moveVxlan(session.route(vxlan.ns), vxlan.name, former?.local ?? '0.0.0.0');
    },
  },
  /** Without `up`, which fails when another program uses the port (EADDRINUSE). */
  create(session, vxlan) {
    links.createVxlan(session.route(vxlan.ns), { ...otherSettings(vxlan), name: vxlan.name }, vxlanSettings(vxlan));
  },
});
