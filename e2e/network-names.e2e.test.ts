/** Names on user-defined networks with the docker command: the same commands on Netyard and on dockerd. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { cannotRun } from './support/engines.ts';
import { openHost, type TestHost } from './support/host.ts';
import { testSameOutput } from './support/same-output.ts';

/** The address that the container's resolver finds, or the resolver's error. */
const lookUp = (from: string, name: string): string => `docker exec ${from} ping -c 1 -W 30 ${name} 2>&1 | head -n 1`;
/** The resolver's error. Where there is no other server, dockerd does not answer. */
const unknown = (from: string, name: string): string =>
  `! docker exec -e RES_OPTIONS='timeout:1 attempts:1' ${from} ping -c 1 -W 30 ${name} 2>&1`;
const run = (name: string, options: string): string =>
  `docker run -d --name ${name} ${options} netyard-test sleep 1000`;
/** In the order of later versions of Docker. */
const resolvConf = (name: string): string => `docker exec ${name} grep -v -e '^#' -e '^$' /etc/resolv.conf | sort`;
const reverse = (from: string, address: string): string =>
  `docker exec ${from} busybox nslookup ${address} 127.0.0.11 | grep -o 'name = .*'`;
const hosts = (name: string): string =>
  `docker exec ${name} cat /etc/hosts | sed "s/$(docker inspect -f '{{.Config.Hostname}}' ${name})/ID/"`;

testSameOutput('names on networks, with the same output as dockerd', { images: ['netyard-test'] }, [
  'docker network create --subnet 10.5.0.0/24 front',
  'docker network create --subnet 10.6.0.0/24 back',
  run('web', '--network front --ip 10.5.0.10 --network-alias www --hostname machine'),
  run('db', '--network back --ip 10.6.0.10'),
  run('app', '--network front --ip 10.5.0.20'),
  'docker network connect --ip 10.6.0.20 --alias worker back app',
  ...['web', 'WWW', 'www', 'web.front', 'db', 'db.back', 'app'].map((name) => lookUp('app', name)),
  `docker exec app ping -c 1 -W 30 $(docker inspect -f '{{slice .Id 0 12}}' web) | head -n 1 | sed 's/PING [0-9a-f]*/PING ID/'`,
  lookUp('db', 'worker'),
  lookUp('db', 'app'),
  ...['db', 'app.back', 'worker'].map((name) => unknown('web', name)),
  reverse('app', '10.5.0.10'),
  reverse('app', '10.6.0.10'),
  resolvConf('app'),
  hosts('app'),
  run('linked', '--network front --ip 10.5.0.30 --link web:site --link later:queue'),
  lookUp('linked', 'site'),
  lookUp('linked', 'web'),
  unknown('app', 'site'),
  unknown('linked', 'queue'),
  hosts('linked'),
  run('later', '--network front --ip 10.5.0.40'),
  lookUp('linked', 'queue'),
  'docker rename web shop',
  lookUp('app', 'shop'),
  lookUp('app', 'www'),
  unknown('app', 'web'),
  'docker stop -t 0 shop',
  unknown('app', 'shop'),
  'docker start shop',
  lookUp('app', 'shop'),
  run('plain', ''),
  'docker network connect --ip 10.5.0.50 front plain',
  lookUp('plain', 'shop'),
  lookUp('app', 'plain'),
  resolvConf('plain'),
  'docker network disconnect front plain',
  unknown('plain', 'shop'),
  resolvConf('plain'),
  run('custom', '--network front --ip 10.5.0.60 --dns 10.5.0.99 --dns-search example.org --dns-opt ndots:3'),
  resolvConf('custom'),
  lookUp('custom', 'shop'),
  'docker rm -f shop db app linked later plain custom',
  'docker network rm front back',
]);

describe('names on networks, where Netyard differs', { skip: cannotRun('netyard') }, () => {
  let host: TestHost;
  before(async () => {
    host = await openHost('netyard', { images: ['netyard-test'] });
    await host.docker('network', 'create', '--subnet', '10.5.0.0/24', 'shared');
  });
  after(() => host.close());

  const start = (name: string, address: string, project: string, ...options: string[]): Promise<string> => {
    const label = ['--label', `com.docker.compose.project=${project}`];
    const network = ['--network', 'shared', '--ip', address];
    return host.docker('run', '-d', '--name', name, ...network, ...label, ...options, 'netyard-test', 'sleep', '1000');
  };
  const found = async (from: string, name: string): Promise<string> => {
    const { stdout } = await host.tryDocker('exec', from, 'ping', '-c', '1', '-W', '30', name);
    return /\((10\.[0-9.]+)\)/.exec(stdout)?.[1] ?? '';
  };

  test('each of two projects on a network reaches its own service', async () => {
    await start('blue-api', '10.5.0.10', 'blue', '--network-alias', 'api');
    await start('green-api', '10.5.0.11', 'green', '--network-alias', 'api');
    await start('blue-web', '10.5.0.20', 'blue');
    await start('green-web', '10.5.0.21', 'green');
    for (let round = 0; round < 4; round += 1) {
      assert.equal(await found('blue-web', 'api'), '10.5.0.10');
      assert.equal(await found('green-web', 'api'), '10.5.0.11');
    }
  });

  test('names resolve again after a restart of the daemon, also from containers that ran meanwhile', async () => {
    await host.restartDaemon();
    assert.equal(await found('blue-web', 'green-api'), '10.5.0.11');
    assert.equal(await found('green-web', 'api'), '10.5.0.11');
  });
});
