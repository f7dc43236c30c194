/** Handler of VXLAN links. */
import { formatIp, parseIp } from '@netyard/core';
import type { VxlanObject } from '../../desired.ts';
import * as links from '../../netlink/rtnl/link.ts';
import { checkVxlan, type VxlanSettings } from '../../netlink/rtnl/vxlan-message.ts';
import { absent, type ObjectHandler, observed } from './handler.ts';
import {
  canonicalMac,
  change,
  checkSettings,
  differences,
  find,
  refuseOtherKind,
  removeOurs,
  required,
  undoCreate,
} from './link.ts';

const linkSettings = ({ mac, mtu, owner, up }: VxlanObject): links.LinkSettings => ({
  up,
  ...(mac === undefined ? {} : { mac: canonicalMac(mac) }),
  ...(mtu === undefined ? {} : { mtu }),
  ...(owner === undefined ? {} : { alias: owner }),
});

const localOf = ({ local }: VxlanObject): string | undefined => local && formatIp(parseIp(local));

function vxlanSettings(object: VxlanObject): VxlanSettings {
  const local = localOf(object);
  const { id, port, learning = false } = object;
  return { id, port, learning, ...(local === undefined ? {} : { local }) };
}

/** Differences in attributes that can only be set at creation. */
const fixedDifferences = (desired: VxlanObject, found: VxlanSettings | undefined): string[] => [
  ...(found?.id === desired.id ? [] : [`id ${found?.id}`]),
  ...(found?.port === desired.port ? [] : [`dstport ${found?.port}`]),
  ...(found?.learning === (desired.learning ?? false) ? [] : ['learning differs']),
];

const hasOtherLocal = (desired: VxlanObject, found: VxlanSettings | undefined): boolean =>
  desired.local !== undefined && found?.local !== localOf(desired);

export const vxlanHandler: ObjectHandler<VxlanObject> = {
  check(vxlan) {
    checkSettings(vxlan);
    checkVxlan(vxlan);
  },
  observe(session, vxlan) {
    const link = find(session, vxlan);
    if (!link) return absent;
    if (link.kind !== 'vxlan') return observed([`a ${link.kind ?? 'device'}`]);
    return observed([
      ...fixedDifferences(vxlan, link.vxlan),
      hasOtherLocal(vxlan, link.vxlan) && `local ${link.vxlan?.local ?? 'any'}`,
      ...differences(link, linkSettings(vxlan)),
    ]);
  },
  create(session, vxlan) {
    const { up, ...settings } = linkSettings(vxlan);
    const socket = session.route(vxlan.ns);
    links.createVxlan(socket, { ...settings, name: vxlan.name }, vxlanSettings(vxlan));
    try {
      // A separate step: setting it up fails when another program uses the port (EADDRINUSE).
      if (up) links.changeLink(socket, vxlan.name, { up });
    } catch (error) {
      links.deleteLink(socket, vxlan.name);
      throw error;
    }
    return undoCreate(session, vxlan);
  },
  change(session, vxlan) {
    refuseOtherKind(session, vxlan, 'vxlan');
    const socket = session.route(vxlan.ns);
    const former = required(session, vxlan).vxlan;
    if (fixedDifferences(vxlan, former).length > 0) {
      links.deleteLink(socket, vxlan.name);
      return vxlanHandler.create(session, vxlan);
    }
    const local = hasOtherLocal(vxlan, former) ? localOf(vxlan) : undefined;
    if (local !== undefined) links.moveVxlan(socket, vxlan.name, local);
    const undo = change(session, vxlan, linkSettings(vxlan));
    return async () => {
      await undo();
      if (local !== undefined) links.moveVxlan(socket, vxlan.name, former?.local ?? '0.0.0.0');
    };
  },
  delete: (session, vxlan) => removeOurs(session, vxlan, 'vxlan'),
};
