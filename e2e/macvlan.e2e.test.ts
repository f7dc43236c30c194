/**
 * Macvlan networks with the docker command: the same commands on Netyard and on dockerd. dockerd 20.10 does not let networks
 * share a parent.
 */
import { testSameOutput } from './support/same-output.ts';

const create = 'docker network create -d macvlan';
const addresses = `ip -o -4 addr show eth0 | awk '{ print $4, $6 }'`;

testSameOutput('macvlan networks, with the same output as dockerd', { images: ['netyard-test'] }, [
  `ip netns add neighbour && ip link add lan0 type veth peer name eth0 netns neighbour && ip link set lan0 up &&
    ip -n neighbour address add 192.0.2.9/24 dev eth0 && ip -n neighbour link set eth0 up`,
  `! ${create} -o parent=lan0 -o macvlan_mode=source lan 2>&1`,
  // Netyard prints a hint in the second line.
  `! ${create} -o parent=lan7 lan 2>&1 | head -n 1; false`,
  `! ${create} -o parent=lan0.5000 lan 2>&1 | head -n 1; false`,
  `${create} -o parent=lan0 --subnet 192.0.2.0/24 --ip-range 192.0.2.64/26 --gateway 192.0.2.9 lan`,
  `docker network inspect -f '{{.Driver}} {{.Internal}} {{json .IPAM}} {{json .Options}}' lan`,
  'docker run -d --name aa --network lan -p 8080:80 netyard-test sleep 1000',
  'docker run -d --name bb --network lan --ip 192.0.2.99 netyard-test sleep 1000',
  `docker exec aa ${addresses}`,
  'docker exec aa ip route',
  `docker inspect -f '{{json .NetworkSettings.Ports}} {{.NetworkSettings.Networks.lan.MacAddress}}' bb`,
  'docker port aa',
  'docker exec aa ping -c 1 -W 30 192.0.2.9 > /dev/null',
  'docker exec aa ping -c 1 -W 30 bb > /dev/null',
  'ip netns exec neighbour ping -c 1 -W 30 192.0.2.99 > /dev/null',
  'docker stop -t 0 bb && docker start bb',
  'ip netns exec neighbour ping -c 1 -W 30 192.0.2.99 > /dev/null',
  'docker network disconnect lan aa',
  'docker exec aa ip -o -4 addr | grep -c eth0; true',
  '! docker network rm lan',
  'docker rm -f aa bb',
  'docker network rm lan',
  'ip -o link | grep -c "@lan0"; true',
]);
