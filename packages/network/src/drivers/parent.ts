/**
 * The parent of a network: an interface of the host, a VLAN sub-interface that Netyard creates, or, for a network without a
 * parent, a dummy interface. Pure.
 */
import { shortId } from '@netyard/core';
import type { NetworkRecord } from '../contract.ts';
import { ownerText, vlanOwner } from '../object-names.ts';
import type { NetworkIdentity, ParentInterface } from './driver.ts';

/** @param prefix Docker's prefix of the names of dummy interfaces */
export function parentInterface(prefix: 'dm-' | 'di-', record: NetworkIdentity): ParentInterface {
  const { parent: link = '' } = record.options;
  if (link === '') {
    const name = `${prefix}${shortId(record.id)}`;
    const owner = ownerText(`network ${record.name}`, ` (${shortId(record.id)}), parent`);
    return { link: name, created: { kind: 'dummy', name, owner, up: true } };
  }
  const vlan = record.createdParent ? splitVlan(link) : undefined;
  if (vlan === undefined) return { link };
  const { base, id } = vlan;
  return { link, created: { kind: 'vlan', name: link, parent: base, id, owner: vlanOwner(base, id), up: true } };
}

/** The name of a VLAN sub-interface: `eth0.10` is VLAN 10 of eth0. Undefined for other names. */
export function splitVlan(link: string): { base: string; id: number } | undefined {
  const [, base, id] = /^([^.]+)\.[+]?(\d+)$/.exec(link) ?? [];
  return base === undefined || id === undefined ? undefined : { base, id: Number(id) };
}

/** The only networks without a way out are those without a parent. */
export const isWithoutParent = ({ options }: Pick<NetworkRecord, 'options'>): boolean => (options.parent ?? '') === '';
