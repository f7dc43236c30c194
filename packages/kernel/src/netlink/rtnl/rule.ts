/** Rules of the policy routing database over rtnetlink. See ip-rule(8), linux/fib_rules.h. */
import { formatIp, ipFromBytes } from '@netyard/core';
import type { ObservedRule } from '../../observed-namespace.ts';
import { hasErrno } from '../../system/ffi/errno.ts';
import { Attributes, hostIsLittleEndian, viewOf } from '../attribute.ts';
import type { NetlinkSocket } from '../socket.ts';
import { AF_INET, familyNumber } from './address.ts';
import { withoutUndefined } from './link-message.ts';

export const RTM_NEWRULE = 32;
export const RTM_DELRULE = 33;
const RTM_GETRULE = 34;
const FRA = { DST: 1, SRC: 2, IIFNAME: 3, PRIORITY: 6, FWMARK: 10, TABLE: 15, FWMASK: 16, OIFNAME: 17 } as const;
const FIB_RULE_INVERT = 2;
const actions: ReadonlyMap<number, ObservedRule['action']> = new Map([
  [1, 'lookup'],
  [2, 'goto'],
  [3, 'nop'],
  [6, 'blackhole'],
  [7, 'unreachable'],
  [8, 'prohibit'],
]);

/** Decodes the payload of RTM_NEWRULE: struct fib_rule_hdr and attributes; undefined for families other than IP. */
export function decodeRule(payload: Uint8Array): ObservedRule | undefined {
  const [family = 0, toLength = 0, fromLength = 0, , table = 0, , , action = 0] = payload;
  if (family !== AF_INET && family !== familyNumber(6)) return undefined;
  const attributes = new Attributes(payload.subarray(12));
  const prefix = (type: number, length: number): string | undefined => {
    const address = attributes.bytes(type);
    return address && `${formatIp(ipFromBytes(address))}/${length}`;
  };
  const name = actions.get(action) ?? 'other';
  const optional: Partial<ObservedRule> = withoutUndefined({
    from: prefix(FRA.SRC, fromLength),
    to: prefix(FRA.DST, toLength),
    inputLink: attributes.text(FRA.IIFNAME),
    outputLink: attributes.text(FRA.OIFNAME),
    mark: attributes.u32(FRA.FWMARK),
    markMask: attributes.u32(FRA.FWMASK),
    table: name === 'lookup' ? (attributes.u32(FRA.TABLE) ?? table) : undefined,
  });
  return {
    family: family === AF_INET ? 4 : 6,
    priority: attributes.u32(FRA.PRIORITY) ?? 0,
    not: (viewOf(payload).getUint32(8, hostIsLittleEndian) & FIB_RULE_INVERT) !== 0,
    ...{ action: name, ...optional },
  };
}

/** In the order in which the kernel tries them. Equivalent to: `ip -FAMILY rule show`. */
export function listRules(socket: NetlinkSocket, family: 4 | 6): ObservedRule[] {
  const payload = new Uint8Array(12);
  payload[0] = familyNumber(family);
  const request = { type: RTM_GETRULE, payload, operation: 'ip rule show', object: `IPv${family}` };
  try {
    return socket
      .dump(request)
      .filter(({ type }) => type === RTM_NEWRULE)
      .flatMap((message) => decodeRule(message.payload) ?? [])
      .filter((rule) => rule.family === family);
  } catch (error) {
    if (hasErrno(error, 'EOPNOTSUPP', 'EAFNOSUPPORT')) return [];
    throw error;
  }
}
