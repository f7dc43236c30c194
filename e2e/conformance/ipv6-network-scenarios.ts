/** Scenarios of networks with IPv6: what is created, every error, and endpoints. */
import { differs, reasons, type ScenarioGroup } from './scenario.ts';

const ipam = (...config: string[]): string =>
  `try '{"Name":"n","EnableIPv6":true,"IPAM":{"Config":[${config.join(',')}]}}'`;
const six = (...config: string[]): string => ipam('{"Subnet":"10.9.0.0/24","Gateway":"10.9.0.1"}', ...config);
const option = (key: string, value: string): string =>
  `try '{"Name":"n","EnableIPv6":true,"Options":{"com.docker.network.${key}":"${value}"}}'`;

const ignored = 'shows no subnet that was ignored';

export const ipv6NetworkScenarios: readonly ScenarioGroup[] = [
  {
    title: 'IPv6 networks',
    short: true,
    setUp: ['docker network create --ipv6 --subnet fd00:71::/64 -o com.docker.network.bridge.name=br-six taken'],
    scenarios: [
      'created --ipv6 --subnet 10.9.0.0/24 --gateway 10.9.0.1 --subnet fd00:79::/64 --gateway fd00:79::1 n',
      'created --ipv6 --ipv4=false --subnet fd00:79::/64 --gateway fd00:79::5 n',
      'created --ipv6 --internal --subnet 10.9.0.0/24 --gateway 10.9.0.1 --subnet fd00:79::/80 --gateway fd00:79::1 n',
      differs(six('{"Subnet":"FD00:0079::/64","Gateway":"FD00:79::0:1"}'), 'addresses have one form, as in Docker 29'),
      differs(`try '{"Name":"n","EnableIPv6":false,"IPAM":{"Config":[{"Subnet":"fd00:79::/64"}]}}'`, ignored),
      differs(`try '{"Name":"n","IPAM":{"Config":[{"Subnet":"fd00:79::5/64"}]}}'`, ignored),
      `try '{"Name":"n","EnableIPv4":false}'`,
      'docker network create --ipv4=false n',
      `try '{"Name":"n","Options":{"com.docker.network.enable_ipv4":"x"}}'`,
      `try '{"Name":"n","EnableIPv4":false,"Options":{"com.docker.network.enable_ipv6":"false"}}'`,
      six('{"Subnet":"fd00:79::5/64"}'),
      six('{"Subnet":"fd00:79::"}'),
      six('{"Subnet":"fd00:79::/64","Gateway":"fd00:78::1"}'),
      six('{"Subnet":"fd00:79::/64","Gateway":"10.9.0.1"}'),
      six('{"Subnet":"fd00:79::/64","IPRange":"10.9.0.0/24"}'),
      six('{"Subnet":"fd00:79::/64","IPRange":"fd00:78::/80"}'),
      six('{"Subnet":"fd00:79::/64","AuxiliaryAddresses":{"a":"fd00:78::1"}}'),
      six('{"Subnet":"ff02:1::/64"}'),
      six('{"Subnet":"fe80::/80"}'),
      six('{"Subnet":"fd00:71::/80"}'),
      six('{"Subnet":"fd00:71::/48"}'),
      six('{"Subnet":"fd00:79::/64"}', '{"Subnet":"fd00:a::/64"}'),
      option('bridge.gateway_mode_ipv6', 'x'),
      option('bridge.gateway_mode_ipv6', 'isolated'),
      option('host_ipv6', 'x'),
    ],
  },
  {
    title: 'IPv6 endpoints',
    setUp: [
      'docker network create --ipv6 --subnet 10.9.0.0/24 --gateway 10.9.0.1 --subnet fd00:79::/64 --gateway fd00:79::1 six',
      'docker network create --subnet 10.8.0.0/24 --gateway 10.8.0.1 four',
    ],
    scenarios: [
      'start c1 --network six',
      `docker inspect -f '{{json .NetworkSettings.Networks.six.GlobalIPv6Address}} {{json .NetworkSettings.Networks.six.IPv6Gateway}}' c1`,
      `docker exec c1 sh -c 'ip -6 -o address show dev eth0 scope global | awk "{ print \\$4 }"; ip -6 route show default | awk "{ print \\$3, \\$5 }"'`,
      'docker exec c1 cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6',
      'start c2 --network six --ip6 fd00:79::42',
      `docker inspect -f '{{json .NetworkSettings.Networks.six.IPAMConfig}}' c2`,
      'docker exec c1 ping -6 -c 1 -W 30 fd00:79::42 > /dev/null && echo reached',
      differs('start c3 --network six --ip6 fd00:78::1; docker rm -f c3', reasons.newer),
      differs('start c3 --network six --ip6 x; docker rm -f c3', reasons.newer),
      'start c3 --network four --sysctl net.ipv6.conf.all.disable_ipv6=1',
      'docker network connect six c3',
      `docker inspect -f '{{json .NetworkSettings.Networks.six.GlobalIPv6Address}}' c3`,
      'docker network disconnect six c3',
      'start c4 --network four',
      'docker exec c4 cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6',
      'docker network connect six c4',
      `docker exec c4 ip -6 route show default | awk '{ print $3 }'`,
      `docker exec c4 ip -4 route show default | awk '{ print $3 }'`,
    ],
  },
];
