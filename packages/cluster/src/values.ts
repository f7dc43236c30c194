/**
 * Encodes and parses etcd's values, as JSON. Any client of etcd can write them, so every value is validated: a
 * malformed one is a described error, never a crash. Pure.
 */
import {
  formatIp,
  formatPrefix,
  formatTime,
  messageOf,
  NetyardError,
  networkOf,
  parseIp,
  parsePrefix,
  tryParseIp,
  tryParsePrefix,
} from '@netyard/core';
import { z } from 'zod';
import type { DividedSubnet } from './contract.ts';
import { checkIpv6Size, checkNetworkSize, partBits } from './networks.ts';

const isIp = (text: string): boolean => tryParseIp(text) !== undefined;
const isIpv4 = (text: string): boolean => tryParseIp(text)?.family === 4;
const isIpv6 = (text: string): boolean => tryParseIp(text)?.family === 6;
const isIpv4Prefix = (text: string): boolean => tryParsePrefix(text)?.family === 4;
const isIpv6Prefix = (text: string): boolean => tryParsePrefix(text)?.family === 6;

const addressSchema = z.string().refine(isIpv4, 'is not an IPv4 address');
const hostAddressSchema = z.string().refine(isIp, 'is not an IP address').transform(canonicalAddress);
const ipv6AddressSchema = z.string().refine(isIpv6, 'is not an IPv6 address').transform(canonicalAddress);
const subnetSchema = z.string().refine(isIpv4Prefix, 'is not an IPv4 subnet').transform(withoutHostBits);
const ipv6SubnetSchema = z.string().refine(isIpv6Prefix, 'is not an IPv6 subnet').transform(withoutHostBits);

const hostSchema = z.object({
  /** Identity of the host's data root: distinguishes a host that rejoins from another one with the same name. */
  id: z.string().min(1).max(64),
  address: hostAddressSchema,
  subnets: z.array(subnetSchema).min(1).max(64),
  since: z.iso.datetime(),
  /** Absent in records of older versions. An invalid value only costs the host its API: see api.ts. */
  api: z.string().max(100).optional().catch(''),
});
const subnetRecordSchema = z.object({
  id: z.string().min(1).max(64),
  host: z.string().min(1).max(63),
  address: z.string().max(64).default(''),
});
const nameSchema = z.object({ containerId: z.string().min(1).max(64), address: addressSchema });
const textsSchema = z.record(z.string().max(1024), z.string().max(8192));
const networkSchema = z.object({
  id: z.string().regex(/^[0-9a-f]{64}$/, 'is not an id'),
  created: z.iso.datetime(),
  subnet: subnetSchema,
  partSize: z.int().min(1).max(29),
  /** Absent in records of older versions, too. */
  ipv6: z.object({ subnet: ipv6SubnetSchema, partSize: z.int() }).optional(),
  internal: z.boolean(),
  attachable: z.boolean(),
  options: textsSchema,
  labels: textsSchema,
});
const partSchema = z.object({ id: z.string().min(1).max(64), host: z.string().min(1).max(63) });
const endpointSchema = z.object({
  name: z.string().min(1).max(255),
  address: addressSchema,
  /** Absent in records of older versions, too. */
  ipv6Address: ipv6AddressSchema.optional(),
  names: z.array(z.string().min(1).max(255)).max(256),
  project: z.string().max(255).optional(),
});
const configSchema = z.object({ subnet: subnetSchema, subnetSize: z.int().min(1).max(30) });

export interface HostValue {
  id: string;
  address: string;
  subnets: string[];
  /** Nanoseconds since the Unix epoch. */
  since: bigint;
  /** As announced, not validated yet. */
  api?: string;
}

/** The owner of a subnet, also while it is not a member. */
export type SubnetValue = z.infer<typeof subnetRecordSchema>;
export type NameValue = z.infer<typeof nameSchema>;

/** A network of the cluster; its name is in the key. */
export interface NetworkValue extends Omit<z.infer<typeof networkSchema>, 'created' | 'ipv6'> {
  /** Nanoseconds since the Unix epoch. */
  created: bigint;
  ipv6?: DividedSubnet;
}
/** The host that has a part of a network's subnet. */
export type PartValue = z.infer<typeof partSchema>;
export interface EndpointValue extends Omit<z.infer<typeof endpointSchema>, 'project' | 'names' | 'ipv6Address'> {
  ipv6Address?: string;
  names: readonly string[];
  /** Its compose project. */
  project?: string;
}

/** The pool from which all hosts of a cluster take their subnets. */
export interface Pool {
  subnet: string;
  /** Prefix length of one host's subnet. */
  subnetSize: number;
}

/** Keys are in a fixed order: equal values have equal text. */
export const encodeHost = ({ id, address, subnets, since, api }: HostValue): string =>
  JSON.stringify({ id, address, subnets, since: formatTime(since), ...(api === undefined ? {} : { api }) });
export const encodeSubnet = ({ id, host, address }: SubnetValue): string => JSON.stringify({ id, host, address });
export const encodeName = ({ containerId, address }: NameValue): string => JSON.stringify({ containerId, address });
export const encodeNetwork = (value: NetworkValue): string => {
  const { id, created, subnet, partSize, ipv6, internal, attachable, options, labels } = value;
  return JSON.stringify({
    ...{ id, created: formatTime(created), subnet, partSize },
    ...(ipv6 === undefined ? {} : { ipv6: { subnet: ipv6.subnet, partSize: ipv6.partSize } }),
    ...{ internal, attachable, options, labels },
  });
};
export const encodePart = ({ id, host }: PartValue): string => JSON.stringify({ id, host });
export const encodeEndpoint = ({ name, address, ipv6Address, names, project }: EndpointValue): string =>
  JSON.stringify({
    ...{ name, address, ...(ipv6Address === undefined ? {} : { ipv6Address }) },
    ...{ names, ...(project === undefined ? {} : { project }) },
  });
export const encodePool = ({ subnet, subnetSize }: Pool): string => JSON.stringify({ subnet, subnetSize });

/** Throws `invalid` with a description, as do the other parsers. */
export function parseHost(text: string): HostValue {
  const { since, api, ...rest } = parse(hostSchema, text);
  return { ...rest, since: parseTime(since), ...(api === undefined ? {} : { api }) };
}
export const parseSubnet = (text: string): SubnetValue => parse(subnetRecordSchema, text);
export const parseName = (text: string): NameValue => parse(nameSchema, text);
export function parseNetwork(text: string): NetworkValue {
  const { created, ipv6, ...rest } = parse(networkSchema, text);
  const { subnet, partSize } = rest;
  if (partSize < parsePrefix(subnet).length) throw new NetyardError('invalid', `partSize: does not fit ${subnet}`);
  checkNetworkSize({ subnet, partSize });
  if (ipv6 !== undefined) checkIpv6Size(ipv6, partBits(rest));
  return { ...rest, created: parseTime(created), ...(ipv6 === undefined ? {} : { ipv6 }) };
}
export const parsePart = (text: string): PartValue => parse(partSchema, text);
export function parseEndpoint(text: string): EndpointValue {
  const { ipv6Address, project, ...rest } = parse(endpointSchema, text);
  return {
    ...rest,
    ...(ipv6Address === undefined ? {} : { ipv6Address }),
    ...(project === undefined ? {} : { project }),
  };
}
export const parsePool = (text: string): Pool => parse(configSchema, text);

function parse<T extends z.ZodType>(schema: T, text: string): z.infer<T> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new NetyardError('invalid', `not valid JSON: ${messageOf(error)}`);
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new NetyardError('invalid', `${issue?.path.join('.') || 'value'}: ${issue?.message ?? 'invalid'}`);
}

/** RFC 3339 in UTC, with up to nine decimals. */
function parseTime(text: string): bigint {
  const match = /^(.*?)(?:\.(\d{1,9})\d*)?Z$/.exec(text);
  return BigInt(Date.parse(`${match?.[1] ?? ''}Z`)) * 1_000_000n + BigInt((match?.[2] ?? '').padEnd(9, '0'));
}

function canonicalAddress(text: string): string {
  return formatIp(parseIp(text));
}

function withoutHostBits(text: string): string {
  return formatPrefix(networkOf(parsePrefix(text)));
}
