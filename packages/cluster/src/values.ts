/**
 * What stands in etcd's values, as JSON. Whoever may write to etcd has written it, so all of it is checked: what does
 * not fit is an error in words, never a crash. Pure.
 */
import { formatPrefix, formatTime, messageOf, NetyardError, networkOf, parseIp, parsePrefix } from '@netyard/core';
import { z } from 'zod';

const addressSchema = z.string().refine(isIpv4, 'is no IPv4 address');
const subnetSchema = z.string().refine(isIpv4Prefix, 'is no IPv4 subnet').transform(withoutHostBits);

const hostSchema = z.object({
  /** Of the host's data root: tells a host that comes back from another one of the same name. */
  id: z.string().min(1).max(64),
  address: addressSchema,
  subnets: z.array(subnetSchema).min(1).max(64),
  since: z.iso.datetime(),
  /** Absent in records of before; what cannot be one costs the host its API only: see api.ts. */
  api: z.string().max(100).optional().catch(''),
});
const subnetRecordSchema = z.object({
  id: z.string().min(1).max(64),
  host: z.string().min(1).max(63),
  address: z.string().max(64).default(''),
});
const nameSchema = z.object({ containerId: z.string().min(1).max(64), address: addressSchema });
const configSchema = z.object({ subnet: subnetSchema, subnetSize: z.int().min(1).max(30) });

export interface HostValue {
  id: string;
  address: string;
  subnets: string[];
  /** Nanoseconds since 1970. */
  since: bigint;
  /** As announced, not judged yet. */
  api?: string;
}

/** Who holds a subnet, also while it is not there. */
export type SubnetValue = z.infer<typeof subnetRecordSchema>;
export type NameValue = z.infer<typeof nameSchema>;

/** The pool that all hosts of a cluster take their subnets from. */
export interface Pool {
  subnet: string;
  /** Prefix length of one host's subnet. */
  subnetSize: number;
}

/** Objects with keys in a fixed order: the same value is the same text. */
export const encodeHost = ({ id, address, subnets, since, api }: HostValue): string =>
  JSON.stringify({ id, address, subnets, since: formatTime(since), ...(api === undefined ? {} : { api }) });
export const encodeSubnet = ({ id, host, address }: SubnetValue): string => JSON.stringify({ id, host, address });
export const encodeName = ({ containerId, address }: NameValue): string => JSON.stringify({ containerId, address });
export const encodePool = ({ subnet, subnetSize }: Pool): string => JSON.stringify({ subnet, subnetSize });

/** Each throws `invalid` with what is wrong. */
export function parseHost(text: string): HostValue {
  const { since, api, ...rest } = parse(hostSchema, text);
  return { ...rest, since: parseTime(since), ...(api === undefined ? {} : { api }) };
}
export const parseSubnet = (text: string): SubnetValue => parse(subnetRecordSchema, text);
export const parseName = (text: string): NameValue => parse(nameSchema, text);
export const parsePool = (text: string): Pool => parse(configSchema, text);

function parse<T extends z.ZodType>(schema: T, text: string): z.infer<T> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new NetyardError('invalid', `it is no JSON: ${messageOf(error)}`);
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new NetyardError('invalid', `${issue?.path.join('.') || 'it'}: ${issue?.message ?? 'does not fit'}`);
}

/** RFC 3339 in UTC, with up to nine decimals. */
function parseTime(text: string): bigint {
  const match = /^(.*?)(?:\.(\d{1,9})\d*)?Z$/.exec(text);
  return BigInt(Date.parse(`${match?.[1] ?? ''}Z`)) * 1_000_000n + BigInt((match?.[2] ?? '').padEnd(9, '0'));
}

function isIpv4(text: string): boolean {
  try {
    return parseIp(text).family === 4;
  } catch {
    return false;
  }
}

function isIpv4Prefix(text: string): boolean {
  try {
    return parsePrefix(text).family === 4;
  } catch {
    return false;
  }
}

function withoutHostBits(text: string): string {
  return formatPrefix(networkOf(parsePrefix(text)));
}
