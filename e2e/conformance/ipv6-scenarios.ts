/** Scenarios of networks with IPv6: subnets, addresses, names, files of containers. */
import { differs, reasons, type ScenarioGroup } from './scenario.ts';

const six = (from: string, name: string): string => `names6 ${from} ${name}`;
/** In dockerd's current spelling of the constant lines. */
const hosts = (name: string): string =>
  `docker exec ${name} cat /etc/hosts | sed -E "s/::0\\t/::\\t/; s/\\b[0-9a-f]{12}\\b/ID/g"`;
const resolvConf = (name: string): string =>
  `docker exec ${name} cat /etc/resolv.conf | sed 's/Docker Engine/Netyard/'`;
const routes = (name: string): string => `docker exec ${name} ip -6 route show default | awk '{ print $3, $5 }'`;

const canonical = 'shows IPv6 addresses in the form of RFC 5952';
const names = 'names the subnet, Docker the gateway in it';

export const ipv6Scenarios: readonly ScenarioGroup[] = [
  {
    title: 'IPv6: create',
    setUp: [],
    scenarios: [
      'created --ipv6 --subnet 10.9.0.0/24 --gateway 10.9.0.1 --subnet fd00:9::/64 --gateway fd00:9::1 n',
      'created --ipv6 --ipv4=false --subnet fd00:9::/64 --gateway fd00:9::9 --ip-range fd00:9::80/121 n',
      differs('created --ipv6 --ipv4=false --subnet FD00:9:0::/64 --gateway fd00:9:0:0::1 n', canonical),
      'docker network create --ipv4=false n',
      differs('docker network create --ipv6 --ipv4=false --subnet ff00::/64 n', names),
      differs('docker network create --ipv6 --ipv4=false --subnet fe80::/16 n', names),
      'docker network create --ipv6 --ipv4=false --subnet fd00:9::1/64 n',
      'docker network create --ipv6 --ipv4=false --subnet fd00:9::/64 --gateway 10.0.0.1 n',
      'docker network create --ipv6 --ipv4=false --subnet fd00:9::/64 --gateway fd00:8::1 n',
      'docker network create --ipv6 --ipv4=false --subnet fd00:9::/64 --ip-range fd00:8::/80 n',
      differs(
        'docker network create --subnet fd00:9::/64 n && docker network inspect -f "{{.EnableIPv6}} {{len .IPAM.Config}}" n; docker network rm n',
        'does not show a subnet that has no effect',
      ),
    ],
  },
  {
    title: 'IPv6: names and files',
    setUp: [
      'docker network create --ipv6 --subnet 10.1.0.0/24 --subnet fd00:1::/64 front',
      'docker network create --ipv6 --ipv4=false --subnet fd00:2::/64 back',
      'docker network create --subnet 10.3.0.0/24 four',
      'start a1 --network front --ip 10.1.0.10 --ip6 fd00:1::10 --network-alias svc',
      'start b1 --network front --ip 10.1.0.11 --ip6 fd00:1::11 --network-alias svc',
      'start c1 --network back --ip6 fd00:2::10',
      'start f1 --network four --ip 10.3.0.10',
    ],
    scenarios: [
      six('a1', 'b1'),
      six('a1', 'svc'),
      six('a1', 'b1.front'),
      `${six('a1', 'c1')}; echo $?`,
      'names c1 c1',
      six('c1', 'c1'),
      'named a1 fd00:1::11',
      'named c1 fd00:2::10',
      hosts('a1'),
      hosts('c1'),
      resolvConf('c1'),
      routes('a1'),
      routes('c1'),
      'docker exec c1 ip -4 -o address show dev eth0; docker exec c1 ip -4 route',
      `docker network connect --ip6 fd00:1::77 front f1 && ${hosts('f1')}; ${six('f1', 'a1')}; ${six('a1', 'f1')}; docker network disconnect front f1; ${hosts('f1')}`,
      `start d1 --network front --ip6 fd00:1::20 --ip 10.1.0.20 --link a1:site; ${six('d1', 'site')}; ${hosts('d1')}; docker rm -f d1`,
      `start d1 --network front --ip 10.1.0.20 --sysctl net.ipv6.conf.all.disable_ipv6=1 --add-host x:fd00::1; ${hosts('d1')}; docker inspect -f '{{.NetworkSettings.Networks.front.GlobalIPv6Address}}' d1; ${six('a1', 'd1')}; docker rm -f d1`,
      `start d1 --network back --dns fd00::53 --dns 10.9.9.9; ${resolvConf('d1')}; docker rm -f d1`,
      differs('start d1 --network front --ip6 fd00:9::1; docker rm -f d1', reasons.newer),
      'start d1 --network front --ip6 fd00:1::11; docker rm -f d1',
      differs('start d1 --network four --ip6 fd00:1::12; docker rm -f d1', reasons.newer),
    ],
  },
];
