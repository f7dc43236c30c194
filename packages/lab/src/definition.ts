/**
 * A lab file: what its YAML may say, and what it means. Pure: text in, a definition out, or an error that names the
 * line. Nothing is asked of the machine here.
 */
import {
  formatIp,
  formatPrefix,
  lastOf,
  messageOf,
  NetyardError,
  networkOf,
  type Prefix,
  parsePrefix,
  prefixContains,
  prefixesOverlap,
} from '@netyard/core';
import { type Document, isNode, LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';

/** A network between hosts: an Ethernet switch and the addresses used on it. */
export interface LabSwitch {
  name: string;
  /** Without host bits: `172.16.0.0/16`. */
  prefix: string;
}

/** A host's way to a switch. */
export interface LabUplink {
  switch: string;
  /** The link's name inside the host. */
  link: string;
  /** With the switch's prefix length: `172.16.2.101/16`. */
  address: string;
}

export interface LabHost {
  name: string;
  uplinks: readonly LabUplink[];
  /** The daemon's `--bip`. */
  bip?: string;
  /** Whether `netyard daemon` is started in it. */
  daemon: boolean;
  /** Further options for it, such as `--icc=false`. */
  daemonOptions: readonly string[];
}

export interface LabDefinition {
  name: string;
  switches: readonly LabSwitch[];
  hosts: readonly LabHost[];
}

/** What the tutorial calls a host's network card. */
export const uplinkName = 'ens33';
/** Of the one switch that a file declares as `switch: PREFIX`. */
const onlySwitch = 'switch';
/** Docker's bridge network when nobody says `--bip`. */
const defaultBip = '172.17.0.1/16';

const name = z
  .string()
  .regex(/^[a-zA-Z0-9]([a-zA-Z0-9-]{0,38}[a-zA-Z0-9])?$/, 'letters, digits and inner dashes, 40 at most');
const prefix = z.string().superRefine((text, context) => {
  try {
    parsePrefix(text);
  } catch (error) {
    context.addIssue({ code: 'custom', message: messageOf(error) });
  }
});

const fileSchema = z.strictObject({
  name,
  switch: prefix,
  hosts: z
    .record(
      name,
      z.strictObject({
        address: z.string(),
        bip: prefix.optional(),
        daemon: z.boolean().optional(),
        options: z.array(z.string()).optional(),
      }),
    )
    .refine((hosts) => Object.keys(hosts).length > 0, 'a lab needs a host'),
});

type LabFile = z.infer<typeof fileSchema>;
type Path = readonly PropertyKey[];

/** An error at a place of the file. */
class Misplaced extends Error {
  readonly path: Path;
  constructor(path: Path, message: string) {
    super(message);
    this.path = path;
  }
}

/** Parses a lab file. Throws `invalid`: `FILE:LINE: WHERE: WHAT`. */
export function parseLab(text: string, file: string): LabDefinition {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const refuse = (line: number | undefined, message: string): NetyardError =>
    new NetyardError('invalid', `${file}${line === undefined ? '' : `:${line}`}: ${message}`);
  const [syntax] = document.errors;
  if (syntax) throw refuse(syntax.linePos?.[0].line, syntax.message.split('\n')[0]?.replace(/ at line .*$/, '') ?? '');
  const parsed = fileSchema.safeParse(document.toJS());
  const misplaced = (path: Path, message: string): NetyardError => {
    const where = path.length > 0 ? `${path.join('.')}: ` : '';
    return refuse(lineOf(document, lines, path), `${where}${message}`);
  };
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw misplaced(issue?.path ?? [], issue?.message ?? 'not a lab file');
  }
  try {
    return defineLab(parsed.data);
  } catch (error) {
    if (error instanceof Misplaced) throw misplaced(error.path, error.message);
    throw error;
  }
}

/** The line of what stands at a path, or of the nearest thing around it. */
function lineOf(document: Document, lines: LineCounter, path: Path): number | undefined {
  for (let length = path.length; length >= 0; length -= 1) {
    const node = document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
  }
  return undefined;
}

function defineLab(file: LabFile): LabDefinition {
  const wire = networkOf(parsePrefix(file.switch));
  const taken = new Map<string, string>();
  const hosts = Object.entries(file.hosts).map(([host, wanted]): LabHost => {
    const address = hostAddress(host, wanted.address, wire);
    const other = taken.get(address);
    if (other !== undefined)
      throw new Misplaced(['hosts', host, 'address'], `${wanted.address} is the address of ${other} already`);
    taken.set(address, host);
    checkBip(host, wanted.bip, wire);
    return {
      name: host,
      uplinks: [{ switch: onlySwitch, link: uplinkName, address }],
      ...(wanted.bip === undefined ? {} : { bip: wanted.bip }),
      daemon: wanted.daemon ?? true,
      daemonOptions: wanted.options ?? [],
    };
  });
  return { name: file.name, switches: [{ name: onlySwitch, prefix: formatPrefix(wire) }], hosts };
}

/** The address of a host on its switch, with the switch's length, which may be left out. */
function hostAddress(host: string, text: string, wire: Prefix): string {
  const refuse = (message: string): Misplaced => new Misplaced(['hosts', host, 'address'], message);
  let address: Prefix;
  try {
    address = parsePrefix(text.includes('/') ? text : `${text}/${wire.length}`);
  } catch (error) {
    throw refuse(messageOf(error));
  }
  if (!prefixContains(wire, address)) throw refuse(`${text} is outside the switch, ${formatPrefix(wire)}`);
  if (address.length !== wire.length)
    throw refuse(`${text} has not the length of the switch: write ${formatIp(address)}/${wire.length}`);
  if (address.value === wire.value || (wire.family === 4 && address.value === lastOf(wire).value))
    throw refuse(`${text} is no host's address: it is the first or the last of the switch`);
  return formatPrefix(address);
}

function checkBip(host: string, bip: string | undefined, wire: Prefix): void {
  if (!prefixesOverlap(parsePrefix(bip ?? defaultBip), wire)) return;
  const path = ['hosts', host, ...(bip === undefined ? [] : ['bip'])];
  if (bip !== undefined) throw new Misplaced(path, `${bip} overlaps the switch, ${formatPrefix(wire)}`);
  const net = formatPrefix(networkOf(parsePrefix(defaultBip)));
  throw new Misplaced(path, `Docker's default network ${net} overlaps the switch, ${formatPrefix(wire)}: give a bip`);
}
