/**
 * The way a link opens between two containers that may not talk freely (icc=false): parent to child, each exposed or
 * published port of the child. Answers come back by connection tracking. Keyed by the addresses that the two
 * endpoints have now, so whoever changes one takes the old elements away and puts new ones in. Pure.
 */
import { shortId } from '@netyard/core';
import type { NftElementObject } from '@netyard/kernel';
import type { ExposedPort } from '../contract.ts';
import { element } from './table.ts';

export interface LinkAllowRule {
  parentId: string;
  parentAddress: string;
  childId: string;
  childAddress: string;
  ports: readonly ExposedPort[];
}

export function planLinkAllowRules(hole: LinkAllowRule): NftElementObject[] {
  const comment = `link ${shortId(hole.parentId)} to ${shortId(hole.childId)}`;
  const keys = hole.ports.map(
    (port) => `${hole.parentAddress} . ${hole.childAddress} . ${port.protocol} . ${port.port}`,
  );
  return [...new Set(keys)].map((key) => element('link_holes', key, { comment }));
}
