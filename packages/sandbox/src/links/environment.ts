/**
 * The environment variables of Docker's legacy links in the parent (moby daemon/links). Off by default: they are fixed
 * at start and become wrong as soon as the child gets another address. Pure.
 */
import type { ExposedPort } from '../contract.ts';

export interface LinkEnvironment {
  parentName: string;
  alias: string;
  childAddress: string;
  childEnvironment: readonly string[];
  exposed: readonly ExposedPort[];
}

/** TCP first, then by protocol and number. */
function comparePorts(a: ExposedPort, b: ExposedPort): number {
  if (a.protocol === b.protocol) return a.port - b.port;
  if (a.protocol === 'tcp' || b.protocol === 'tcp') return a.protocol === 'tcp' ? -1 : 1;
  return a.protocol < b.protocol ? -1 : 1;
}

/** Runs of consecutive ports of one protocol. */
function portRanges(ports: readonly ExposedPort[]): ExposedPort[][] {
  const ranges: ExposedPort[][] = [];
  for (const port of ports) {
    const range = ranges.at(-1);
    const last = range?.at(-1);
    if (range && last && last.protocol === port.protocol && last.port + 1 === port.port) range.push(port);
    else ranges.push([port]);
  }
  return ranges;
}

export function linkEnvironment(link: LinkEnvironment): string[] {
  const prefix = link.alias.toUpperCase().replaceAll('-', '_');
  const ports = link.exposed.toSorted(comparePorts);
  const url = (port: ExposedPort): string => `${port.protocol}://${link.childAddress}:${port.port}`;
  const nameOf = (port: ExposedPort): string => `${prefix}_PORT_${port.port}_${port.protocol.toUpperCase()}`;
  const [first] = ports;
  const lines = first ? [`${prefix}_PORT=${url(first)}`] : [];
  for (const range of portRanges(ports)) {
    for (const port of range) {
      const name = nameOf(port);
      lines.push(`${name}=${url(port)}`, `${name}_ADDR=${link.childAddress}`);
      lines.push(`${name}_PORT=${port.port}`, `${name}_PROTO=${port.protocol}`);
    }
    const [start] = range;
    const end = range.at(-1);
    if (!start || !end || start === end) continue;
    const name = nameOf(start);
    lines.push(`${name}_START=${url(start)}`, `${name}_PORT_START=${start.port}`);
    lines.push(`${name}_END=${url(end)}`, `${name}_PORT_END=${end.port}`);
  }
  lines.push(`${prefix}_NAME=/${link.parentName}/${link.alias}`);
  for (const variable of link.childEnvironment) {
    const [name = ''] = variable.split('=', 1);
    if (variable.includes('=') && name !== 'HOME' && name !== 'PATH') lines.push(`${prefix}_ENV_${variable}`);
  }
  return lines;
}
