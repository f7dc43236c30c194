/** Scenarios of macvlan and ipvlan networks: options, sharing of parents, addresses, and every error before a container starts. */
import { differs, type ScenarioGroup } from './scenario.ts';

const macvlan = 'created -d macvlan -o parent=lan0';
const ipvlan = 'created -d ipvlan -o parent=lan0';
const subnet = '--subnet 10.9.0.0/24';
/** The interface `lan0`, new in each group. */
const uplink =
  'ip link delete lan0 2> /dev/null || true; ip link add lan0 type veth peer name lan1; ip link set lan0 up';
/** Messages only: dockerd creates networks that need ipvlan on a kernel that has none. */
const noIpvlan = 'on a kernel without ipvlan networks are rejected at once; dockerd fails at the start of a container';
const gateway = 'as in versions after 28 there is no gateway, and no default route, unless one is requested';
const noModule = 'the message names the missing kernel module, and has a hint';
/** Netyard's hint is in the second line. */
const first = (line: string): string => `${line} 2>&1 | head -n 1`;

export const parentScenarios: readonly ScenarioGroup[] = [
  {
    title: 'macvlan',
    setUp: [uplink],
    scenarios: [
      `${macvlan} ${subnet} n`,
      `${macvlan} ${subnet} --gateway 10.9.0.9 n`,
      `${macvlan} ${subnet} --ip-range 10.9.0.128/25 --aux-address a=10.9.0.130 n`,
      `${macvlan} ${subnet} --internal n`,
      `${macvlan} ${subnet} --internal --gateway 10.9.0.9 n`,
      `${macvlan} ${subnet} -o macvlan_mode=vepa n`,
      `${macvlan} ${subnet} --ipv6 --subnet 2001:db8:9::/64 n`,
      `${macvlan} ${subnet} --ipv6 --subnet 2001:db8:9::/64 --gateway 2001:db8:9::9 n`,
      `${macvlan} --ipv4=false --ipv6 --subnet 2001:db8:9::/64 n`,
      // Docker lists the two in either order.
      "docker network create -d macvlan -o parent=lan0 --subnet 10.9.0.0/24 --subnet 10.10.0.0/24 n; docker network inspect n | jq -c '.[0].IPAM.Config | sort_by(.Subnet)'; docker network rm n",
      `${macvlan} ${subnet} -o macvlan_mode=source n`,
      `${macvlan} ${subnet} -o macvlan_mode=Bridge n`,
      `created -d macvlan -o parent=lo ${subnet} n`,
      first(`created -d macvlan -o parent=lan7 ${subnet} n`),
      first(`created -d macvlan -o parent=lan7.5 ${subnet} n`),
      first(`created -d macvlan -o parent=lan0.0 ${subnet} n`),
      first(`created -d macvlan -o parent=lan0.5000 ${subnet} n`),
      first(`created -d macvlan -o parent=lan0.x ${subnet} n`),
      first(`created -d macvlan -o parent=lan0.5.6 ${subnet} n`),
      differs(`created -d macvlan -o parent=lan0.5 ${subnet} n`, noModule),
      differs(`created -d macvlan ${subnet} n`, noModule),
      `try '{"Name":"n","Driver":"macvlan","Options":{"parent":"lan0","macvlan_mode":"x"}}'`,
      `try '{"Name":"n","Driver":"macvlan","Options":{"parent":"lo"}}'`,
    ],
  },
  {
    title: 'macvlan: containers',
    setUp: [
      uplink,
      'ip link add br9 type bridge; ip link add port0 type veth peer name port1; ip link set port0 master br9',
      'docker network create -d macvlan -o parent=lan0 --subnet 10.9.0.0/24 lan',
      'docker network create -d macvlan -o parent=lan0 --subnet 10.10.0.0/24 --gateway 10.10.0.9 routed',
      'docker network create -d macvlan -o parent=port0 --subnet 10.11.0.0/24 port',
      'docker network create -d macvlan -o parent=lan0 --subnet 10.12.0.0/24 --ipv6 --subnet 2001:db8:9::/64 v6lan',
      'docker network create -d macvlan -o parent=lan0 --subnet 10.13.0.0/24 --ipv6 --subnet 2001:db8:8::/64 --gateway 2001:db8:8::9 v6routed',
    ],
    scenarios: [
      'docker network create -d macvlan -o parent=lan0 -o macvlan_mode=passthru n 2>&1 | sed "s/network [0-9a-f]*/network ID/"',
      differs('start aa --network lan > /dev/null; addresses aa; docker exec aa ip route; docker rm -f aa', gateway),
      'start aa --network routed > /dev/null; addresses aa; docker exec aa ip route; docker rm -f aa',
      'start aa --network routed --ip 10.10.0.77 -p 80:80 > /dev/null; addresses aa; docker port aa; docker rm -f aa',
      'start aa --network lan --mac-address 02:00:00:00:00:07 > /dev/null; docker exec aa cat /sys/class/net/eth0/address; docker rm -f aa',
      'start aa --network lan > /dev/null; docker network rm lan 2>&1 | sed "s/id:.*/ID/"; docker rm -f aa',
      differs(
        `start aa --network v6lan > /dev/null; docker exec aa ip -6 -o address show scope global | awk '{ print $2, $4 }'; docker exec aa ip -6 route show default; docker exec aa cat /proc/sys/net/ipv6/conf/eth0/accept_ra; docker rm -f aa`,
        gateway,
      ),
      `start aa --network v6routed > /dev/null; docker exec aa ip -6 route show default; docker rm -f aa`,
      first('docker run --rm --network port netyard-test true'),
      'docker rm -f aa $(docker ps -aq)',
    ],
  },
  {
    title: 'ipvlan',
    setUp: [uplink],
    scenarios: [
      differs(`${ipvlan} ${subnet} n`, noIpvlan),
      `${ipvlan} ${subnet} -o ipvlan_mode=l4 n`,
      `${ipvlan} ${subnet} -o ipvlan_flag=passthru n`,
      `created -d ipvlan -o parent=lo ${subnet} n`,
      first(`created -d ipvlan -o parent=lan7 ${subnet} n`),
      first(`created -d ipvlan -o parent=lan7.5 ${subnet} n`),
      first(`created -d ipvlan -o parent=lan0.5000 ${subnet} n`),
      `try '{"Name":"n","Driver":"ipvlan","Options":{"parent":"lan0","ipvlan_mode":"x"}}'`,
    ],
  },
];
