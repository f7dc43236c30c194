/**
 * A lab file: what its YAML may say. Pure: text in, a definition out, or an error that names line and column. What the
 * words mean together is `topology.ts`; nothing is asked of the machine.
 */
import { messageOf, NetyardError, parsePrefix } from '@netyard/core';
import { type Document, isNode, isScalar, LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import type { LabDefinition } from './definition.ts';
import { Misplaced, type Path } from './misplaced.ts';
import { unknownPlaceholder } from './service.ts';
import { defineLab } from './topology.ts';

/** Linux's IFNAMSIZ less its final zero: a router's links are called as their switches. */
const longestLinkName = 15;
/** A link cannot be called so, or the word means something else in a router. */
const reserved = ['lo', 'all', 'default', 'routes'];

const name = z
  .string()
  .regex(/^[a-zA-Z0-9]([a-zA-Z0-9-]{0,38}[a-zA-Z0-9])?$/, 'letters, digits and inner dashes, 40 at most');
const switchName = name
  .max(longestLinkName, `${longestLinkName} letters at most: a router's link is called as its switch`)
  .refine(
    (text) => !reserved.includes(text),
    `a switch cannot be called ${reserved.slice(0, -1).join(', ')} or routes`,
  );
const prefix = z.string().superRefine((text, context) => {
  try {
    parsePrefix(text);
  } catch (error) {
    context.addIssue({ code: 'custom', message: messageOf(error) });
  }
});

/** A mapping, or a string that stands for the one word that matters most in it. */
const orShort = <Schema extends z.ZodType>(word: string, schema: Schema) =>
  z.preprocess((value) => (typeof value === 'string' ? { [word]: value } : value), schema);

const oneSwitch = orShort('prefix', z.strictObject({ prefix, mtu: z.int().min(68).max(65_535).optional() }));

const line = z
  .string()
  .min(1)
  .superRefine((text, context) => {
    const unknown = unknownPlaceholder(text);
    if (unknown === undefined) return;
    const message = `${unknown} stands for nothing: there are {host}, {address} and {state}`;
    context.addIssue({ code: 'custom', message });
  });
const service = orShort('run', z.strictObject({ run: line, ready: line.optional() }));
const serviceName = name.refine((text) => text !== 'daemon', 'the daemon is called so');
const routes = z.record(z.string(), z.string());

const host = z.strictObject({
  switch: z.string().optional(),
  address: z.string(),
  gateway: z.string().optional(),
  routes: routes.optional(),
  bip: prefix.optional(),
  daemon: z.union([z.boolean(), z.array(z.string())], 'true, false, or a list of options for the daemon').optional(),
  options: z.array(z.string()).optional(),
  services: z.record(serviceName, service).optional(),
});

/** Its switches by name, each with the router's address there. */
const router = z.object({ routes: routes.optional() }).catchall(z.string());

const fileSchema = z.strictObject({
  name,
  switch: oneSwitch.optional(),
  switches: z.record(switchName, oneSwitch).optional(),
  routers: z.record(name, router).optional(),
  hosts: z.record(name, host).refine((hosts) => Object.keys(hosts).length > 0, 'a lab needs a host'),
});

export type LabFile = z.infer<typeof fileSchema>;
export type HostInFile = LabFile['hosts'][string];

/** What is not there has no type that could be wrong. */
const missing: z.core.$ZodErrorMap = (issue) =>
  issue.code === 'invalid_type' && issue.input === undefined ? 'is missing' : undefined;

/** Parses a lab file. Throws `invalid`: `FILE:LINE:COLUMN: WHERE: WHAT`. */
export function parseLab(text: string, file: string): LabDefinition {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, merge: true });
  const refuse = (place: Place | undefined, message: string): NetyardError =>
    new NetyardError('invalid', `${file}${place === undefined ? '' : `:${place.line}:${place.col}`}: ${message}`);
  const [syntax] = document.errors;
  if (syntax) throw refuse(syntax.linePos?.[0], syntax.message.split('\n')[0]?.replace(/ at line .*$/, '') ?? '');
  const parsed = fileSchema.safeParse(document.toJS(), { error: missing });
  const misplaced = (path: Path, message: string): NetyardError => {
    const shown = written(document, path);
    return refuse(placeOf(document, lines, shown), `${shown.length > 0 ? `${shown.join('.')}: ` : ''}${message}`);
  };
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const reason = issue?.code === 'invalid_key' ? issue.issues[0] : issue; // a name that is none: why, not only that
    if (issue?.code === 'unrecognized_keys')
      throw misplaced([...issue.path, ...issue.keys.slice(0, 1)], 'no such word');
    throw misplaced(issue?.path ?? [], reason?.message ?? 'not a lab file');
  }
  try {
    return defineLab(parsed.data);
  } catch (error) {
    if (error instanceof Misplaced) throw misplaced(error.path, error.message);
    throw error;
  }
}

interface Place {
  line: number;
  col: number;
}

/** Where what stands at a path begins, or the nearest thing around it. */
function placeOf(document: Document, lines: LineCounter, path: Path): Place | undefined {
  for (let length = path.length; length >= 0; length -= 1) {
    const node = document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return lines.linePos(node.range[0]);
  }
  return undefined;
}

/** The path without what a short form left unsaid: a scalar in the file has nothing in it. */
function written(document: Document, path: Path): Path {
  for (const length of path.keys())
    if (isScalar(document.getIn(path.slice(0, length), true))) return path.slice(0, length);
  return path;
}
