/** Reads which of this host's IPv6 addresses are temporary or deprecated: `networkInterfaces` of Node does not report it. */
import { readFileSync } from 'node:fs';
import { formatIp } from '@netyard/core';

/** linux/if_addr.h: IFA_F_TEMPORARY, IFA_F_DADFAILED, IFA_F_DEPRECATED, IFA_F_TENTATIVE. */
const transientFlags = 0x01 | 0x08 | 0x20 | 0x40;

/** Empty on a kernel without IPv6. */
export function readTransientAddresses(): ReadonlySet<string> {
  try {
    return parseTransientAddresses(readFileSync('/proc/net/if_inet6', 'ascii'));
  } catch {
    return new Set();
  }
}

/** Lines of address, ifindex, prefix length, scope and flags, in hexadecimal, and the interface's name (net/ipv6/addrconf.c). */
export function parseTransientAddresses(text: string): Set<string> {
  const found = text.split('\n').flatMap((line) => {
    const [, address = '', flags = ''] = /^([0-9a-f]{32}) [0-9a-f]+ [0-9a-f]+ [0-9a-f]+ ([0-9a-f]+) /.exec(line) ?? [];
    return address !== '' && (Number(`0x${flags}`) & transientFlags) !== 0 ? [address] : [];
  });
  return new Set(found.map((address) => formatIp({ family: 6, value: BigInt(`0x${address}`) })));
}
