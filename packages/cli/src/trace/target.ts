/** Parses `TO[:PORT[/PROTO]]` of `netyard trace`. Pure. */

export interface TraceTarget {
  name: string;
  port?: number;
  protocol: 'tcp' | 'udp' | 'icmp';
}

/** IPv6 addresses need brackets before a port: `[fd00::2]:80`. Throws an Error with the reason. */
export function parseTraceTarget(text: string): TraceTarget {
  const [, address = '', protocol] = /^(.*?)(?:\/(tcp|udp|icmp))?$/s.exec(text) ?? [];
  const { name, port } = splitPort(address);
  if (name === '') throw new Error(`invalid target: ${text}: it has no name or address`);
  if (port === undefined) {
    if (protocol === 'tcp' || protocol === 'udp') throw new Error(`invalid target: ${text}: ${protocol} needs a port`);
    return { name, protocol: 'icmp' };
  }
  if (protocol === 'icmp') throw new Error(`invalid target: ${text}: icmp has no ports`);
  const [, other] = /^\d+\/(.*)$/s.exec(port) ?? [];
  if (other !== undefined) throw new Error(`invalid target: ${text}: the protocol must be tcp or udp`);
  if (!/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65535) {
    throw new Error(`invalid target: ${text}: the port must be a number from 1 to 65535`);
  }
  return { name, port: Number(port), protocol: protocol === 'udp' ? 'udp' : 'tcp' };
}

function splitPort(text: string): { name: string; port?: string } {
  const [, bracketed, port] = /^\[([^\]]*)\](?::(.*))?$/s.exec(text) ?? [];
  if (bracketed !== undefined) return { name: bracketed, ...(port === undefined ? {} : { port }) };
  const colon = text.indexOf(':');
  const isOnly = colon >= 0 && colon === text.lastIndexOf(':');
  return isOnly ? { name: text.slice(0, colon), port: text.slice(colon + 1) } : { name: text };
}
