/** Converts `-p` and `--expose` to the API's port maps (docker/go-connections, nat). Pure; throws `invalid`. */

import { isIP } from 'node:net';
import type { PortMap } from '@netyard/api-types';
import { NetyardError } from '@netyard/core';

export interface Ports {
  exposed: Record<string, Record<string, never>>;
  bindings: PortMap;
}

const invalid = (text: string): NetyardError => new NetyardError('invalid', text);

export function parsePorts(publish: readonly string[], expose: readonly string[]): Ports {
  const ports: Ports = { exposed: {}, bindings: {} };
  for (const text of publish) addPublished(ports, fromLongForm(text));
  for (const text of expose) addExposed(ports, text);
  return ports;
}

/** `target=80,published=8080,protocol=tcp` */
function fromLongForm(text: string): string {
  if (!text.includes('=')) return text;
  const fields = new Map<string, string>();
  for (const part of text.split(',')) {
    const [key = '', ...value] = part.split('=');
    if (key === '' || value.length === 0) {
      throw invalid(`invalid publish opts format (should be name=value but got '${part}')`);
    }
    fields.set(key, value.join('='));
  }
  return `${fields.get('published') ?? ''}:${fields.get('target') ?? ''}/${fields.get('protocol') ?? 'tcp'}`;
}

function addPublished(ports: Ports, text: string): void {
  const parts = text.split(':');
  const { port, protocol } = splitProtocol(parts.pop() ?? '');
  const hostPort = parts.pop() ?? '';
  const address = parts.join(':').replace(/^\[(.*)\]$/, '$1');
  if (address !== '' && isIP(address) === 0) throw invalid(`invalid IP address: ${address}`);
  if (port === '') throw invalid(`no port specified: ${text}<empty>`);
  const inside = rangeOf(port) ?? fail(`invalid containerPort: ${port}`);
  const outside = hostPort === '' ? undefined : (rangeOf(hostPort) ?? fail(`invalid hostPort: ${hostPort}`));
  const count = inside.last - inside.first;
  if (outside && outside.last - outside.first !== count && count !== 0) {
    throw invalid(`invalid ranges specified for container and host Ports: ${port} and ${hostPort}`);
  }
  if (!['tcp', 'udp', 'sctp'].includes(protocol.toLowerCase())) throw invalid(`invalid proto: ${protocol}`);
  for (let offset = 0; offset <= count; offset += 1) {
    const key = `${inside.first + offset}/${protocol.toLowerCase()}`;
    const first = outside ? String(outside.first + offset) : '';
    const anyOf = outside && count === 0 && outside.last !== outside.first ? `-${outside.last}` : '';
    ports.exposed[key] = {};
    ports.bindings[key] = [...(ports.bindings[key] ?? []), { HostIp: address, HostPort: first + anyOf }];
  }
}

function addExposed(ports: Ports, text: string): void {
  if (text.includes(':')) throw invalid(`invalid port format for --expose: ${text}`);
  const { port, protocol } = splitProtocol(text);
  const range = rangeOf(port);
  if (!range) throw invalid(`invalid range format for --expose: ${text}, error: ${rangeProblem(port)}`);
  for (let number = range.first; number <= range.last; number += 1) ports.exposed[`${number}/${protocol}`] = {};
}

function fail(text: string): never {
  throw invalid(text);
}

/** The default protocol is tcp. */
export function splitProtocol(text: string): { port: string; protocol: string } {
  const [port = '', protocol] = text.split('/', 2);
  return { port, protocol: protocol || 'tcp' };
}

const isPort = (text: string): boolean => /^\d+$/.test(text) && Number(text) <= 65535;

function rangeOf(text: string): { first: number; last: number } | undefined {
  const [first = '', last = first, ...more] = text.split('-');
  if (more.length > 0 || !isPort(first) || !isPort(last) || Number(last) < Number(first)) return undefined;
  return { first: Number(first), last: Number(last) };
}

function rangeProblem(text: string): string {
  if (text === '') return 'empty string specified for ports';
  const parts = text.split('-', 2);
  const wrong = parts.find((part) => !isPort(part));
  if (wrong === undefined) return `invalid range specified for port: ${text}`;
  const reason = /^\d+$/.test(wrong) ? 'value out of range' : 'invalid syntax';
  return `strconv.ParseUint: parsing ${JSON.stringify(wrong)}: ${reason}`;
}
