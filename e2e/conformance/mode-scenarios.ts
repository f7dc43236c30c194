/** Scenarios of `--network` with its fields, and of options that conflict with a network mode or have no effect in it. */
import { differs, reasons, type ScenarioGroup } from './scenario.ts';

const endpoints = `docker inspect v1 2> /dev/null | jq -cS '.[0].NetworkSettings.Networks | objects | map_values({IPAddress, Gateway, Aliases, IPAMConfig, DriverOpts, GwPriority, Links}), map_values(.MacAddress)' | sed 's/02:00:00:00:00:/M/g'`;
/** Creates container `v1`, runs `after`, and removes it. */
const created = (options: string, after = endpoints): string =>
  `docker create --name v1 ${options} netyard-test sleep 9; ${after}; docker rm -f v1 > /dev/null 2>&1`;
const started = (command: string): string => `docker start v1; docker exec v1 ${command}`;
const shared = (options: string): string => created(`--network container:c1 ${options}`, 'docker start v1');
const inApi = (settings: object): string =>
  `api POST '/containers/create?name=v1' '${JSON.stringify({
    ...{ Image: 'netyard-test', Cmd: ['sleep', '9'], HostConfig: { NetworkMode: 'container:c1' } },
    NetworkingConfig: { EndpointsConfig: { 'container:c1': settings } },
  })}' | sed 's/[0-9a-f]\\{64\\}/ID/'; docker start v1; docker rm -f v1 > /dev/null 2>&1`;
const unicast = 'rejected at create; with Docker the container does not start';

export const modeScenarios: readonly ScenarioGroup[] = [
  {
    title: 'fields of --network',
    setUp: [
      'docker network create --subnet 10.1.0.0/24 --gateway 10.1.0.1 front',
      'docker network create --subnet 10.2.0.0/24 --gateway 10.2.0.1 back',
      'start c1 --network front --ip 10.1.0.9',
    ],
    scenarios: [
      created(
        '--network name=front,ip=10.1.0.20,alias=x,alias=y,driver-opt=a=b,driver-opt=c=d --network name=back,ip=10.2.0.20,mac-address=02:00:00:00:00:09,gw-priority=7',
      ),
      created('--network name=front --ip 10.1.0.20 --network-alias x --network back'),
      created('--network name=front,ip=10.1.0.21 --ip 10.1.0.20'),
      created('--network name=front,alias=a --network-alias b'),
      created('--network name=front,link=c1:db'),
      created('--network front --link c1:db --link c1', `${endpoints}; docker start v1; names v1 db`),
      created(
        '--network name=front,link-local-ip=169.254.9.9,ip=10.1.0.20',
        `${endpoints}; docker start v1; addresses v1`,
      ),
      ...[
        'name=front,foo=bar',
        'name=',
        'ip=10.1.0.5',
        'front,ip=10.1.0.5',
        'name=front,ip',
        'name=front,ip=',
        'name=front,gw-priority=x',
        'name=front,driver-opt=a',
        'name=front,mac-address=x',
        '""',
      ].map((fields) => created(`--network ${fields}`)),
      created('--network name=front,mac-address=02:00:00:00:00:09 --mac-address 02:00:00:00:00:08'),
      created('--network front --network bridge', `${endpoints} | head -n 1 | jq -c keys`),
      created('--network bridge --network front --ip 10.1.0.5'),
      created('--network host --network front'),
      created('--network container:c1 --network front'),
      created('--net=front --net-alias=x'),
      created('--network nosuch', 'docker start v1'),
      created('--network front:x', 'docker start v1'),
      created('--network front --mac-address ""'),
      created('--network front --mac-address 02-00-00-00-00-09', `docker start v1; ${endpoints} | tail -n 1`),
      created(
        '--network front --mac-address 0200.0000.0009',
        `${endpoints}; docker start v1; ${endpoints} | tail -n 1`,
      ),
      differs(created('--network front --mac-address 02:00:00:00:00:09:0a:0b', 'docker start v1'), unicast),
      differs(created('--network front --mac-address FF:FF:FF:FF:FF:FF', 'docker start v1'), unicast),
      differs(created('--network front --ip ::ffff:10.1.0.5'), 'IPv4 addresses have one form'),
      created('--network front --hostname a.b.c', started("sh -c 'hostname; hostname -f'")),
      created('--network front --hostname a_b', started('hostname; names c1 a_b | wc -l')),
      'docker network connect --driver-opt com.docker.network.endpoint.ifname= --ip 10.2.0.9 back c1; addresses c1; docker network disconnect back c1',
      'docker network connect --alias a_b --alias a.b --alias A --alias a --alias "c d" --alias "" --ip 10.2.0.9 back c1; start q1 --network back > /dev/null; for name in a_b a.b A a; do names q1 $name; done; docker inspect c1 | jq -c ".[0].NetworkSettings.Networks.back.Aliases"; docker rm -f q1; docker network disconnect back c1',
      'docker pause c1; docker network connect --ip 10.2.0.9 back c1; docker network disconnect front c1; docker unpause c1; addresses c1; docker network disconnect back c1; docker network connect --ip 10.1.0.9 front c1; addresses c1',
      'docker network disconnect -f front c1; docker network disconnect -f front c1; docker network connect --ip 10.1.0.9 front c1',
    ],
  },
  {
    title: 'options without effect in a mode',
    setUp: [
      'docker network create --subnet 10.1.0.0/24 --gateway 10.1.0.1 front',
      'start c1 --network front --hostname h1',
    ],
    scenarios: [
      ...['--network-alias x', '--mac-address 02:00:00:00:00:09', '--link c1'].map((option) =>
        created(`--network host ${option}`),
      ),
      differs(created('--network host --ip 10.1.0.5'), reasons.newer),
      created(
        '--network host --hostname h -p 80:80',
        `${started('hostname')}; docker port v1; docker ps --format '{{.Ports}}'; docker inspect v1 | jq -cS '.[0] | .NetworkSettings.Ports, .HostConfig.PortBindings'`,
      ),
      created('--network host --add-host a:1.2.3.4', started('grep 1.2.3.4 /etc/hosts')),
      created('--network host --expose 80 -P', 'docker start v1; docker port v1'),
      ...['-p 80:80', '--network-alias x', '--mac-address 02:00:00:00:00:09', '--link c1'].map((option) =>
        created(`--network none ${option}`, `${endpoints}; docker start v1; docker port v1`),
      ),
      created('--network none --sysctl net.ipv4.ip_forward=1', started('cat /proc/sys/net/ipv4/ip_forward')),
      created('--network none --hostname h', started('grep -v :: /etc/hosts')),
      ...[
        '--hostname h',
        '--domainname d',
        '--dns 1.1.1.1',
        '--dns-search a',
        '--dns-opt b',
        '--add-host a:1.2.3.4',
        '-p 80:80',
        '-P',
        '--expose 80',
        '--link c1:x',
        '--mac-address 02:00:00:00:00:09',
        '--network-alias x',
        '--sysctl net.ipv4.ip_forward=1',
        '--uts host',
      ].map(shared),
      ...[
        {},
        { IPAMConfig: {} },
        { MacAddress: '02:00:00:00:00:05' },
        { Links: ['c1:x'] },
        { DriverOpts: { a: 'b' } },
      ].map(inApi),
      ...[
        { IPAMConfig: { IPv4Address: '10.1.0.20' } },
        { IPAMConfig: { IPv6Address: 'fd00::1' } },
        { Aliases: ['x'] },
      ].map((settings) => differs(inApi(settings), reasons.newer)),
      created('--network container:nosuch', 'docker start v1'),
      created('--network container:', 'docker start v1'),
      created('--network container:v1', 'docker start v1'),
      `docker create --name st netyard-test sleep 9; ${created('--network container:st', 'docker start v1')}; docker rm st`,
      `docker pause c1; ${created('--network container:c1', 'docker start v1')}; docker unpause c1`,
      `start oo --network front > /dev/null; start ss --network container:oo > /dev/null; docker restart -t 0 oo; docker inspect -f '{{.State.Status}}' ss; docker rm -f oo; docker inspect -f '{{.State.Status}}' ss; docker restart -t 0 ss 2>&1 | sed 's/[0-9a-f]\\{64\\}/ID/'; docker rm -f ss`,
    ],
  },
];
