/** Parses `--add-host`, `--dns`, `--dns-search`, `--link` and `--mac-address`. Pure; messages are docker's. */
import { isIP } from 'node:net';

/** `name:address` or `name=address`; the address may be `host-gateway` or in brackets. Returns `name:address`. */
export function parseExtraHost(text: string): string {
  const separator = text.includes('=') ? '=' : ':';
  const split = text.indexOf(separator);
  const name = text.slice(0, Math.max(split, 0));
  const given = text.slice(split + 1);
  if (split === -1 || name === '') throw new Error(`bad format for add-host: ${JSON.stringify(text)}`);
  if (given === 'host-gateway') return `${name}:${given}`;
  const address = given.replace(/^\[(.*)\]$/, '$1');
  if (isIP(address) === 0) throw new Error(`invalid IP address in add-host: ${JSON.stringify(address)}`);
  return `${name}:${address}`;
}

export function parseIpAddress(text: string): string {
  if (isIP(text.trim()) === 0) throw new Error(`IP address is not correctly formatted: ${text}`);
  return text.trim();
}

export function parseDnsSearch(text: string): string {
  const domain = text.trim();
  if (domain === '.') return domain;
  const label = '[a-zA-Z0-9]([a-zA-Z0-9_-]*[a-zA-Z0-9])?';
  if (domain.length > 255 || !new RegExp(`^(${label}\\.)*${label}$`).test(domain)) {
    throw new Error(`${text} is not a valid domain`);
  }
  return domain;
}

export function parseLink(text: string): string {
  if (text === '') throw new Error('empty string specified for links');
  const parts = text.split(':');
  if (parts.length > 2 && !text.startsWith('/')) throw new Error(`bad format for links: ${text}`);
  return text;
}
