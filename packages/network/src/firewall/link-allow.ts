/**
 * Plans the allow rules of a link between two containers that may not talk freely (icc=false): from parent to child, for
 * each exposed or published port of the child. Replies pass by connection tracking. Keys contain the current addresses of
 * both endpoints, so a change of an address replaces the elements. Pure.
 */
import { shortId } from '@netyard/core';
import type { NftElementObject } from '@netyard/kernel';
import type { ExposedPort } from '../contract.ts';
import type { Family } from '../family.ts';
import { element, tableFamilies } from './table.ts';

export interface LinkAllowRule {
  family: Family;
  parentId: string;
  parentAddress: string;
  childId: string;
  childAddress: string;
  ports: readonly ExposedPort[];
}

export function planLinkAllowRules(rule: LinkAllowRule): NftElementObject[] {
  const comment = `link ${shortId(rule.parentId)} to ${shortId(rule.childId)}`;
  const keys = rule.ports.map(
    (port) => `${rule.parentAddress} . ${rule.childAddress} . ${port.protocol} . ${port.port}`,
  );
  return [...new Set(keys)].map((key) => element('link_allow', key, { comment, family: tableFamilies[rule.family] }));
}
