/** IPv6 networks with the docker command, on Netyard and on dockerd, and with netyard's own command. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { cannotRun } from './support/engines.ts';
import { openHost, type TestHost } from './support/host.ts';
import { testSameOutput } from './support/same-output.ts';

const inspect =
  `docker inspect -f '{{range $name, $net := .NetworkSettings.Networks}}{{$name}} {{json $net.IPAMConfig}} ` +
  `{{$net.IPv6Gateway}} {{$net.GlobalIPv6Address}} {{$net.GlobalIPv6PrefixLen}} {{end}}'`;
const names = (from: string, name: string): string =>
  `docker exec ${from} nslookup -type=aaaa ${name} | awk '/^Address: / { print $2 }'`;
const reverse = (from: string, address: string): string =>
  `docker exec ${from} busybox nslookup ${address} 127.0.0.11 | grep -o 'name = .*'`;
const hosts = (name: string): string =>
  `docker exec ${name} cat /etc/hosts | sed "s/$(docker inspect -f '{{.Config.Hostname}}' ${name})/ID/"`;
const addresses = 'ip -6 -o addr show dev eth0 scope global';

testSameOutput('IPv6 networks, with the same output as dockerd', { images: ['netyard-test'] }, [
  'docker network create --ipv6 --subnet 10.6.0.0/24 --gateway 10.6.0.1 --subnet fd00:6::/64 --gateway fd00:6::1 six',
  `docker network inspect -f '{{.EnableIPv6}} {{json .IPAM}} {{json .Containers}}' six`,
  `docker network ls --format '{{.Name}} {{.IPv6}}' --filter name=six`,
  'docker run -d --name aa --network six netyard-test sleep 1000',
  'docker run -d --name bb --network six --network-alias other --ip6 fd00:6::9 --add-host far:fd00::7 netyard-test sleep 1000',
  `${inspect} aa bb`,
  `docker network inspect -f '{{range .Containers}}{{println .Name .IPv6Address}}{{end}}' six | sort`,
  `docker exec aa ${addresses} | awk '{ print $4 }'`,
  `docker exec aa ip -6 route show default | awk '{ print $3, $5 }'`,
  'docker exec aa ping -6 -c 1 -W 30 fd00:6::9 > /dev/null',
  'docker exec bb ping -6 -c 1 -W 30 fd00:6::1 > /dev/null',
  ...['bb', 'bb.six', 'other'].map((name) => names('aa', name)),
  reverse('aa', 'fd00:6::9'),
  hosts('bb'),
  'docker exec aa cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6',
  'docker network create --subnet 10.7.0.0/24 four',
  'docker run -d --name cc --network four netyard-test sleep 1000',
  'docker exec cc cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6',
  'docker network connect --ip6 fd00:6::20 six cc',
  'docker exec cc ping -6 -c 1 -W 30 fd00:6::9 > /dev/null',
  `${inspect} cc`,
  hosts('cc'),
  names('aa', 'cc'),
  names('cc', 'aa'),
  'docker network disconnect six cc',
  '! docker network create --ipv6 --subnet 10.8.0.0/24 --subnet fd00:6::/64 other',
  '! docker run --rm --network four --ip6 fd00:6::9 netyard-test true 2> /dev/null',
  '! docker network create -o com.docker.network.enable_ipv6=x --subnet 10.8.0.0/24 other; docker network rm other; false',
  'docker rm -f aa bb cc',
  'docker network rm six four',
  'ip -6 route show table main | grep -c fd00:6:; true',
]);

describe('IPv6 networks with the docker and the netyard command', { skip: cannotRun('netyard') }, () => {
  let host: TestHost;
  before(async () => {
    host = await openHost('netyard', { images: ['netyard-test'] });
  });
  after(() => host?.close());

  for (const command of ['docker', 'netyard'] as const)
    test(`${command}: a network without IPv4 gets an automatic /64`, async () => {
      const run = (...args: string[]): Promise<string> => host[command](...args);
      await run('network', 'create', '--ipv6', '--ipv4=false', 'only');
      const format = '{{.EnableIPv4}} {{.EnableIPv6}} {{range .IPAM.Config}}{{.Subnet}}{{end}}';
      assert.match(await run('network', 'inspect', '-f', format, 'only'), /^false true fd[\da-f:]+::\/64\s*$/);
      await run('run', '-d', '--name', 'one', '--network', 'only', 'netyard-test', 'sleep', '1000');
      const address = (await run('exec', 'one', 'sh', '-c', `${addresses} | awk '{ print $4 }'`)).trim();
      assert.match(address, /^fd[\da-f:]+::2\/64$/);
      const target = address.replace('/64', '');
      await run('run', '--rm', '--network', 'only', 'netyard-test', 'ping', '-6', '-c', '1', '-W', '30', target);
      await run('rm', '-f', 'one');
      await run('network', 'rm', 'only');
    });
});
