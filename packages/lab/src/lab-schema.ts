/** Schema of a lab file's YAML. Pure. */
import { messageOf, parsePrefix } from '@netyard/core';
import { z } from 'zod';
import { unknownPlaceholder } from './service.ts';

/** IFNAMSIZ without the terminating NUL: a router's links are named after their switches. */
const maxLinkNameLength = 15;
/** Invalid names of links, and a key with another meaning in a router. */
const reserved = ['lo', 'all', 'default', 'routes'];

const name = z
  .string()
  .regex(/^[a-zA-Z0-9]([a-zA-Z0-9-]{0,38}[a-zA-Z0-9])?$/, 'must be at most 40 letters, digits and inner dashes');
const switchName = name
  .max(
    maxLinkNameLength,
    `must have at most ${maxLinkNameLength} characters: a router's link is named after its switch`,
  )
  .refine((text) => !reserved.includes(text), `a switch cannot be named ${reserved.slice(0, -1).join(', ')} or routes`);
const prefix = z.string().superRefine((text, context) => {
  try {
    parsePrefix(text);
  } catch (error) {
    context.addIssue({ code: 'custom', message: messageOf(error) });
  }
});

/** A mapping, or a string as the value of its main key. */
const orShort = <Schema extends z.ZodType>(word: string, schema: Schema) =>
  z.preprocess((value) => (typeof value === 'string' ? { [word]: value } : value), schema);

const oneSwitch = orShort('prefix', z.strictObject({ prefix, mtu: z.int().min(68).max(65_535).optional() }));

const line = z
  .string()
  .min(1)
  .superRefine((text, context) => {
    const unknown = unknownPlaceholder(text);
    if (unknown === undefined) return;
    const message = `${unknown} is an unknown placeholder; use {host}, {address} or {state}`;
    context.addIssue({ code: 'custom', message });
  });
const service = orShort('run', z.strictObject({ run: line, ready: line.optional() }));
const serviceName = name.refine((text) => text !== 'daemon', 'the name is reserved for the daemon');
const routes = z.record(z.string(), z.string());

const host = z.strictObject({
  switch: z.string().optional(),
  address: z.string(),
  gateway: z.string().optional(),
  routes: routes.optional(),
  bip: prefix.optional(),
  daemon: z
    .union([z.boolean(), z.array(z.string())], 'must be true, false, or a list of options for the daemon')
    .optional(),
  options: z.array(z.string()).optional(),
  services: z.record(serviceName, service).optional(),
});

/** Addresses by switch name. */
const router = z.object({ routes: routes.optional() }).catchall(z.string());

export const labFileSchema = z.strictObject({
  name,
  switch: oneSwitch.optional(),
  switches: z.record(switchName, oneSwitch).optional(),
  routers: z.record(name, router).optional(),
  hosts: z.record(name, host).refine((hosts) => Object.keys(hosts).length > 0, 'a lab requires a host'),
});

export type LabFile = z.infer<typeof labFileSchema>;
export type HostInFile = LabFile['hosts'][string];
