/** A container's name as other hosts resolve it. Pure. */
import { isIdPrefix, isName, tryParseIp } from '@netyard/core';

/** A container as other hosts know it. */
export interface RemoteName {
  host: string;
  /** Of the container, without the leading slash. */
  name: string;
  containerId: string;
  /** IPv4, without prefix length. */
  address: string;
}

/** `NAME.HOST`, the form that always names one container. */
export const fullName = ({ name, host }: Pick<RemoteName, 'name' | 'host'>): string => `${name}.${host}`;

/** Whether a record that another host published is safe to write into a hosts file and into an answer. */
export function isValidRemoteName({ host, name, containerId, address }: RemoteName): boolean {
  return isName(host) && isName(name) && isIdPrefix(containerId) && isIpv4(address);
}

const isIpv4 = (text: string): boolean => tryParseIp(text)?.family === 4;
