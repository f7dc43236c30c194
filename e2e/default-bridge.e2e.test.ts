/** The default bridge with IPv6, with the docker command: on Netyard and on dockerd, and what only Netyard has. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { cannotRun } from './support/engines.ts';
import { openHost, type TestHost } from './support/host.ts';
import { testSameOutput } from './support/same-output.ts';

/** dockerd before 27 derives the addresses of the default bridge from the MAC. */
const lowest = "sed 's/242:ac11://g'";
const addresses =
  `docker inspect -f '{{with .NetworkSettings}}{{.IPAddress}} {{.IPv6Gateway}} {{.GlobalIPv6Address}} ` +
  `{{.GlobalIPv6PrefixLen}}{{with .Networks.bridge}} {{.IPv6Gateway}} {{.GlobalIPv6Address}}{{end}}{{end}}'`;
const hosts = (name: string): string =>
  `docker exec ${name} cat /etc/hosts | sed -E 's/\\b[0-9a-f]{12}\\b/ID/g' | ${lowest}`;

testSameOutput(
  'the default bridge with IPv6, with the same output as dockerd',
  { images: ['netyard-test'], daemonOptions: ['--ipv6', '--fixed-cidr-v6', 'fd00:b::/64'] },
  [
    `docker network inspect -f '{{.EnableIPv6}} {{range .IPAM.Config}}{{println .Subnet}}{{end}}' bridge`,
    "ip -6 -o address show dev docker0 scope global | awk '{ print $4 }'",
    'docker run -d --name web netyard-test sleep 1000',
    'docker run -d --name app --link web:site --add-host far:fd00::7 netyard-test sleep 1000',
    `${addresses} web app | ${lowest}`,
    "docker exec app ip -6 route show default | awk '{ print $3, $5 }'",
    'docker exec app ping -6 -c 1 -W 30 fd00:b::1 > /dev/null',
    'docker exec app ping -6 -c 1 -W 30 site > /dev/null',
    hosts('app'),
    'docker exec app grep nameserver /etc/resolv.conf',
    'docker run --rm --sysctl net.ipv6.conf.all.disable_ipv6=1 netyard-test ip -6 address',
    'docker rm -f web app',
  ],
);

describe('the default bridge of Netyard', { skip: cannotRun('netyard') }, () => {
  let host: TestHost;
  before(async () => {
    host = await openHost('netyard', { images: ['netyard-test'], daemonOptions: ['--ipv6'] });
  });
  after(() => host?.close());

  test('it has an automatic subnet, host-gateway has both families, and containers may have static addresses', async () => {
    const format = '{{range .IPAM.Config}}{{.Gateway}} {{end}}';
    const [gateway = '', gateway6 = ''] = (await host.docker('network', 'inspect', '-f', format, 'bridge')).split(' ');
    assert.match(gateway6, /^fd[\da-f:]+::1$/);
    const fixed = [gateway.replace(/1$/, '77'), gateway6.replace(/1$/, '77')];
    const options = ['--ip', fixed[0] ?? '', '--ip6', fixed[1] ?? '', '--add-host', 'outside:host-gateway'];
    const output = await host.docker('run', '--rm', ...options, 'netyard-test', 'tail', '-n', '4', '/etc/hosts');
    const lines = output.replaceAll(/\b[\da-f]{12}\b/g, 'ID').split('\n');
    assert.deepEqual(lines, [`${gateway}\toutside`, `${gateway6}\toutside`, ...fixed.map((one) => `${one}\tID`)]);
  });
});
