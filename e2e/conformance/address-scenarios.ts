/** Scenarios of subnets, ranges and addresses: what `network create` accepts, and which addresses containers get. */
import { differs, type ScenarioGroup } from './scenario.ts';

const subnet = '--subnet 10.9.0.0/24 --gateway 10.9.0.1';
const started = (name: string, options: string): string => `start ${name} ${options} > /dev/null; addresses ${name}`;
const refused = (address: string): string => `start a3 --network small --ip ${address}; docker rm -f a3`;
const earlyAddress = 'an address that is never free is rejected at create, not when the container starts';
const newNumber = 'the number is named';

export const addressScenarios: readonly ScenarioGroup[] = [
  {
    title: 'create: ranges and auxiliary addresses',
    setUp: [],
    scenarios: [
      `created ${subnet} --ip-range 10.9.0.128/25 n`,
      `created ${subnet} --ip-range 10.9.0.128/25 --aux-address a=10.9.0.129 --aux-address b=10.9.0.5 n`,
      `created ${subnet} --ip-range 10.9.0.7/32 n`,
      `created ${subnet} --ip-range 10.9.0.0/25 --ip-range 10.9.0.128/25 n`,
      'created --ip-range 10.9.0.0/25 n',
      'created --aux-address a=10.9.0.5 n',
      'created --subnet 10.9.0.0/24 --gateway 10.9.0.255 n',
      `created ${subnet} --aux-address a=10.9.0.255 n`,
      `created ${subnet} --aux-address a=10.9.0.0 n`,
      `created ${subnet} --aux-address a=10.9.0.5 --aux-address b=10.9.0.5 n 2>&1 | sed 's/([ab]:/(X:/'`,
      `created ${subnet} --aux-address a n`,
      `created ${subnet} --aux-address a= n`,
      'created --subnet 10.9.0.0/24 --gateway 10.9.0.1/24 n',
      'created --subnet 10.9.0.0/24 --subnet 10.8.0.0/24 --gateway 10.9.0.1 --gateway 10.8.0.1 n',
      `created ${subnet} --gateway 10.9.0.2 n`,
      'created --subnet 169.254.0.0/16 --gateway 169.254.0.1 n',
      'created --subnet 0.1.2.0/24 --gateway 0.1.2.1 n',
      'created --subnet 10.9.0.0/33 n',
      'created --subnet 010.9.0.0/24 n',
      'created --subnet 10.9.0.0/24,10.8.0.0/24 n',
      'created --subnet "" n',
      'created --gateway "" n',
      'created --subnet " 10.9.0.0/24" n',
      `created ${subnet} -o com.docker.network.bridge.name= n`,
      `created ${subnet} -o com.docker.network.driver.mtu=0 n`,
      differs(`created ${subnet} -o com.docker.network.driver.mtu=67 n`, newNumber),
      differs(`created ${subnet} -o com.docker.network.driver.mtu=70000 n`, newNumber),
      `created ${subnet} -o a -o b=c=d n`,
      `created ${subnet} --label a --label a=b --label =c n`,
      ...['ä', '-- -n', 'a:b', 'container:x', '" n"', '"n "', '""', 'HOST', 'container', '.n', '_n'].map(
        (name) => `created ${subnet} ${name}`,
      ),
    ],
  },
  {
    title: 'addresses of containers',
    setUp: [
      'docker network create --subnet 10.1.0.0/24 --ip-range 10.1.0.8/30 --gateway 10.1.0.9 --aux-address a=10.1.0.8 --aux-address b=10.1.0.200 small',
      'docker network create --subnet 10.2.0.0/29 --gateway 10.2.0.1 tiny',
      'docker network create --subnet 10.3.0.0/31 --gateway 10.3.0.0 pair',
      'docker network create --subnet 10.4.0.0/24 --ip-range 10.4.0.0/30 --gateway 10.4.0.254 outside',
      'docker network create --ipv6 --subnet 10.5.0.0/24 --subnet fd00:5::/64 six',
    ],
    scenarios: [
      started('a1', '--network small'),
      started('a2', '--network small'),
      'start a3 --network small; addresses a3; docker rm -f a3',
      ...['8', '200', '9', '255', '0'].map((last) => differs(refused(`10.1.0.${last}`), earlyAddress)),
      `${started('a3', '--network small --ip 10.1.0.100')}; docker rm -f a3`,
      `docker rm -f a1; ${started('a3', '--network small')}; docker rm -f a3`,
      'for i in 1 2 3 4 5 6; do start t$i --network tiny > /dev/null; addresses t$i; done',
      `${started('p1', '--network pair')}; docker exec p1 ip route`,
      `for i in 1 2 3 4; do start o$i --network outside > /dev/null; addresses o$i; done; start o5 --network outside; docker exec o1 ip route`,
      'start s1 --network name=six,ip=10.5.0.9,link-local-ip=fe80::99,link-local-ip=169.254.4.4; addresses s1; docker exec s1 ip -6 -o addr show scope link | grep -o fe80::99/64; docker restart -t 0 s1; docker exec s1 ip -6 -o addr show scope link | grep -o fe80::99/64',
      'start s2 --network six --ip 10.5.0.10 --ip6 fd00:5::10; docker exec s2 ping -6 -c 1 -W 10 fe80::99%eth0 > /dev/null; echo $?; docker exec s1 ping -6 -c 1 -W 10 -I fe80::99 fd00:5::10 > /dev/null; echo $?',
      'start m1 --network tiny --mac-address 0200.0000.0009 2> /dev/null; start m2 --network outside --ip 10.4.0.77 --mac-address 0200.0000.0009; docker exec m2 cat /sys/class/net/eth0/address | tr : .; docker rm -f m1 m2',
    ],
  },
];
