/**
 * Prints elements of nftables sets and maps as nft(8) commands and parses them from its output. Pure.
 *
 * Every part of a command is validated first: a key cannot close its braces and begin another command.
 */
import { NetyardError } from '@netyard/core';
import type { NftElementObject } from '../../desired.ts';
import { checkNftName } from './name.ts';

export interface NftElement {
  key: string;
  value?: string;
  comment?: string;
  packets?: bigint;
  bytes?: bigint;
}

/** Names one set or map. */
export interface NftSetName {
  family: string;
  table: string;
  set: string;
}

/** `ip netyard publish`. Throws `invalid` for invalid names. */
export function setSpec({ family, table, set }: NftSetName): string {
  for (const name of [family, table, set]) checkNftName(name);
  return `${family} ${table} ${set}`;
}

/** An element as printed between braces: `192.168.1.1 . tcp . 80 comment "nginx" : 172.17.0.2 . 80`. */
export function printElement(element: NftElement): string {
  const { packets, bytes } = element;
  const counter = packets === undefined ? '' : ` counter packets ${packets} bytes ${bytes ?? 0n}`;
  const comment = element.comment === undefined ? '' : ` comment "${checkedComment(element.comment)}"`;
  const value = element.value === undefined ? '' : ` : ${checkedExpression(element.value)}`;
  return `${checkedExpression(element.key)}${counter}${comment}${value}`;
}

function checkedExpression(expression: string): string {
  const outsideQuotes = expression.replace(/"[^"\\\n]*"/g, '');
  if (expression.trim() === '' || /[{};#$\\"\n\r\0]/.test(outsideQuotes))
    throw new NetyardError('invalid', `invalid nftables expression ${JSON.stringify(expression)}`);
  return expression;
}

/** Comments of elements: NFTNL_UDATA allows 128 bytes, the closing NUL included. */
export const isComment = (text: string): boolean => !/["\\\n\r\0]/.test(text) && Buffer.byteLength(text) <= 127;

function checkedComment(comment: string): string {
  if (!isComment(comment)) throw new NetyardError('invalid', `invalid nftables comment ${JSON.stringify(comment)}`);
  return comment;
}

/** `add element …` for many elements, one line per set; `create` fails (EEXIST) when an element exists already. */
export function printAdd(elements: readonly NftElementObject[], verb: 'add' | 'create' = 'add'): string {
  return bySet(elements)
    .map(({ spec, members }) => `${verb} element ${spec} { ${members.map(printElement).join(', ')} }\n`)
    .join('');
}

/** `delete element …` by key. */
export function printDelete(elements: readonly NftElementObject[]): string {
  return bySet(elements)
    .map(
      ({ spec, members }) =>
        `delete element ${spec} { ${members.map(({ key }) => checkedExpression(key)).join(', ')} }\n`,
    )
    .join('');
}

function bySet(elements: readonly NftElementObject[]): { spec: string; members: NftElementObject[] }[] {
  const sets = new Map<string, NftElementObject[]>();
  for (const element of elements) {
    const spec = setSpec(element);
    const members = sets.get(spec);
    if (members) members.push(element);
    else sets.set(spec, [element]);
  }
  return [...sets].map(([spec, members]) => ({ spec, members }));
}

export const printGet = (element: NftElementObject): string =>
  `get element ${setSpec(element)} { ${checkedExpression(element.key)} }`;

/** All elements of the sets and maps in the output of `nft list` or `nft get`. */
export function parseElements(listing: string): NftElement[] {
  const elements: NftElement[] = [];
  for (const match of listing.matchAll(/\belements = \{/g)) {
    for (const text of splitElements(listing, match.index + match[0].length)) elements.push(parseElement(text));
  }
  return elements;
}

/** Splits at commas up to the closing brace, ignoring those in quotes. */
function splitElements(listing: string, start: number): string[] {
  const parts: string[] = [];
  let begin = start;
  let quoted = false;
  for (let position = start; position < listing.length; position += 1) {
    const character = listing[position];
    if (character === '"') quoted = !quoted;
    if (quoted || (character !== ',' && character !== '}')) continue;
    parts.push(listing.slice(begin, position));
    begin = position + 1;
    if (character === '}') break;
  }
  return parts.map((part) => part.trim().replace(/\s+/g, ' ')).filter((part) => part !== '');
}

function parseElement(text: string): NftElement {
  const quotes: string[] = [];
  const bare = text.replace(/"[^"]*"/g, (quote) => `"${quotes.push(quote) - 1}"`);
  const restore = (part: string): string => part.replace(/"(\d+)"/g, (_all, index) => quotes[Number(index)] ?? '');
  const [left = '', ...right] = bare.split(' : ');
  const comment = / comment ("\d+")/.exec(left)?.[1];
  const counter = / counter packets (\d+) bytes (\d+)/.exec(left);
  // Attributes that may follow an element's key: counters, timeout, comment.
  const key = left.replace(/ (?:counter packets|timeout|expires|comment|limit rate|quota) .*$/, '');
  return {
    key: restore(key),
    ...(right.length === 0 ? {} : { value: restore(right.join(' : ')) }),
    ...(comment === undefined ? {} : { comment: restore(comment).slice(1, -1) }),
    ...(counter === null ? {} : { packets: BigInt(counter[1] ?? 0), bytes: BigInt(counter[2] ?? 0) }),
  };
}
