/**
 * The short part of `script/conformance`: networks on Netyard and on the dockerd of Debian sid, in NETYARD_DOCKERD, a
 * folder that `script/unpack-dockerd DIR` filled. Every difference must be listed with its reason.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { asScenario, chosen, commonVersion, runScenario, setUp } from './conformance/run.ts';
import { scenarioGroups } from './conformance/scenarios.ts';
import { cannotRun } from './support/engines.ts';
import { closePair, type HostPair, openPair } from './support/same-output.ts';

const unpacked = process.env['NETYARD_DOCKERD'] ?? '';
const skip =
  cannotRun('netyard') ||
  cannotRun('dockerd') ||
  (!existsSync(join(unpacked, 'complete')) && 'NETYARD_DOCKERD names no folder that script/unpack-dockerd filled');

describe('the same output as the dockerd of Debian sid', { skip }, () => {
  let pair: HostPair;
  let api = '';
  before(async () => {
    process.env['PATH'] = `${join(unpacked, 'root/usr/sbin')}:${process.env['PATH']}`;
    pair = await openPair(['netyard-test']);
    api = await commonVersion(pair);
  });
  after(async () => {
    await closePair(pair ?? {});
  });

  for (const group of chosen(scenarioGroups, { short: true }))
    describe(group.title, () => {
      before(() => setUp(pair, group, api));
      for (const scenario of group.scenarios.map(asScenario))
        test(scenario.line, async () => {
          const { verdict, netyard, dockerd } = await runScenario(pair, group, scenario, api);
          if (verdict === 'fails') assert.equal(netyard, dockerd);
        });
    });
});
