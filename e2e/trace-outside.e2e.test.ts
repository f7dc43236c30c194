/** Traces from and to beyond the uplink of a host, with a neighbour as its router. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { cannotRun } from './support/engines.ts';
import { hostAddress, neighbourAddress } from './support/host.ts';
import { check, openRoutedHost, traceOf } from './trace/check.ts';
import type { Fault, FaultContext } from './trace/fault.ts';

const faults: readonly Fault[] = [
  {
    name: 'a host without default route',
    make: ({ sh }) => sh('ip route del default'),
    trace: () => ['app', 'outside'],
    cause: 'no-route',
    sentence: /^server1 has no default route\.$/,
    fix: /^ip route add default via ROUTER$/,
    repair: ({ sh }) => sh(`ip route add default via ${neighbourAddress}`),
  },
  {
    name: 'a rule that drops what leaves for a port',
    make: ({ sh }) => sh('iptables -I FORWARD -o ens33 -p tcp --dport 443 -j DROP'),
    trace: () => ['app', 'outside:443'],
    cause: 'dropped-by-firewall',
    sentence: /^Dropped at server1, br-[0-9a-f]{12} → ens33, by the rule ".*" of ip filter FORWARD\.$/,
    fix: /^iptables -I FORWARD -i br-[0-9a-f]{12} -o ens33 .*-j ACCEPT$/,
    clean: ({ sh }) => sh('iptables -F FORWARD'),
  },
  {
    name: 'a network whose addresses are not translated',
    make: ({ host }) =>
      host.sh(
        'docker network create -o com.docker.network.bridge.enable_ip_masquerade=false plain && docker run -d --name bare --network plain nginx-web01 sleep 100000',
      ),
    trace: () => ['bare', 'outside'],
    cause: 'not-translated',
    sentence:
      /^Left server1 by ens33 to 172\.16\.2\.102 with the source address 172\.\d+\.0\.2: answers return only if/,
    fix: /iptables -t nat -A POSTROUTING -s 172\.\d+\.0\.2 -o ens33 -j MASQUERADE$/,
    repair: ({ sh }) => sh('iptables -t nat -A POSTROUTING -s 172.16.0.0/12 -o ens33 -j MASQUERADE'),
    clean: ({ host }) => host.sh('iptables -t nat -F POSTROUTING; docker rm -f bare; docker network rm plain'),
  },
];

describe('trace to and from outside', { skip: cannotRun('netyard') }, () => {
  let context: FaultContext;
  before(async () => {
    context = await openRoutedHost([['app'], ['web', '-p', '8080:80'], ['near', '-p', '127.0.0.1:8081:80']]);
  });
  after(() => context.host.close());

  test('what leaves by the uplink has reached the outside, and nothing is claimed beyond', async () => {
    const { outcome, sentence } = await traceOf(context, ['app', 'outside']);
    assert.equal(outcome, 'reached', sentence);
    assert.equal(
      sentence,
      `app reaches the outside of server1: its packet left by ens33 to ${neighbourAddress} as ${hostAddress}; nothing beyond was asked for an answer.`,
    );
  });

  for (const fault of faults) test(fault.name, () => check(fault, context));

  test('from outside: predicted, and the sentence says so', async () => {
    const { outcome, sentence } = await traceOf(context, ['outside', 'web:80']);
    assert.equal(outcome, 'unknown');
    assert.equal(
      sentence,
      `What comes in by ens33 for ${hostAddress}:8080 is for web, unless a firewall rule says otherwise: this host cannot send as if from outside.`,
    );
  });

  test('from outside to ports that are closed to it', async () => {
    assert.equal(
      (await traceOf(context, ['outside', 'app:80'])).sentence,
      'app does not publish 80/tcp, so nothing outside server1 reaches it.',
    );
    assert.equal(
      (await traceOf(context, ['outside', 'near:80'])).sentence,
      '80/tcp of near is published on 127.0.0.1 only, so nothing outside server1 reaches it.',
    );
  });
});
