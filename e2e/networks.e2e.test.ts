/** User-defined networks with the docker command: the same commands on Netyard and on dockerd. */
import { testSameOutput } from './support/same-output.ts';

const shape =
  '{{.Name}} {{.Scope}} {{.Driver}} {{.EnableIPv6}} {{json .IPAM}} {{.Internal}} {{.Attachable}} {{.Ingress}} ' +
  '{{json .ConfigFrom}} {{.ConfigOnly}} {{json .Containers}} {{json .Options}} {{json .Labels}}';
const members = `docker network inspect -f '{{range .Containers}}{{println .Name .IPv4Address}}{{end}}'`;
const endpoints =
  `docker inspect -f '{{.HostConfig.NetworkMode}} {{range $name, $net := .NetworkSettings.Networks}}` +
  `{{$name}} {{json $net.IPAMConfig}} {{json $net.Links}} {{$net.Gateway}} {{$net.IPAddress}} {{$net.IPPrefixLen}} {{end}}'`;
const addresses = (name: string): string =>
  `docker exec ${name} ip -o -4 addr | awk '$2 != "lo" { print $2, $4 }' | sed 's/@[^ ]*//'`;
/** `--until` counts in seconds. dockerd reports a disconnection twice, and connects a starting container in any order. */
const events =
  `sleep 1; docker events --since 1h --until 0s --filter type=network --format ` +
  `'{{.Action}} {{.Actor.Attributes.name}} {{.Actor.Attributes.type}} {{.Actor.Attributes.container}}' | grep -v ^disconnect | sort`;

testSameOutput('networks, with the same output as dockerd', { images: ['netyard-test'] }, [
  'docker network create --subnet 10.5.0.0/16 --gateway 10.5.0.1 --ip-range 10.5.1.0/24 --aux-address r=10.5.1.1 --label tier=back back',
  `docker network inspect -f '${shape}' back`,
  'docker network create front',
  '! docker network create back 2>&1',
  '! docker network create bridge 2>&1',
  '! docker network create --driver nope other 2>&1',
  '! docker network create --driver host other 2>&1',
  '! docker network create --ipam-driver nope other 2>&1',
  '! docker network create --scope swarm other 2>&1',
  '! docker network create --ingress other 2>&1',
  '! docker network create --config-only --internal other 2>&1',
  '! docker network create --subnet 10.5.2.0/24 other',
  '! docker network create --gateway 10.5.0.1 other 2>&1',
  `docker network inspect -f '{{(index .IPAM.Config 0).Subnet}} {{(index .IPAM.Config 0).Gateway}}' front`,
  'docker network ls --format "{{.Name}} {{.Driver}} {{.Scope}} {{.Internal}} {{.Labels}}"',
  'docker network ls --filter label=tier=back --filter driver=bridge --format "{{.Name}}"',
  'docker network ls --filter type=custom --filter name=f --format "{{.Name}}"',
  'docker network ls --filter type=builtin --format "{{.Name}}"',
  'docker network ls --filter dangling=true --format "{{.Name}}"',
  '! docker network ls --filter dangling=maybe 2>&1',
  '! docker network ls --filter type=maybe 2>&1',
  'docker run -d --name aa --network back --ip 10.5.0.9 --network-alias first netyard-test sleep 1000',
  'docker run -d --name bb --network back netyard-test sleep 1000',
  `${endpoints} aa bb`,
  `${members} back | sort`,
  addresses('bb'),
  'docker exec bb ip route',
  'docker exec bb ping -c 1 -W 30 10.5.0.9 > /dev/null',
  '! docker run --name thief --network back --ip 10.5.0.9 netyard-test true 2> /dev/null; docker rm -f thief; false',
  '! docker network rm back',
  '! docker network connect --ip 10.5.0.20 back aa 2>&1',
  'docker network connect --alias second front bb',
  addresses('bb'),
  '! docker network connect front bb 2>&1',
  '! docker network connect absent bb 2>&1',
  '! docker network connect front absent 2>&1',
  '! docker network connect host bb',
  `docker ps --filter network=front --format '{{.Names}},{{.Networks}}' | tr , '\\n' | sort`,
  'docker network disconnect front bb',
  addresses('bb'),
  '! docker network disconnect front bb 2>&1',
  '! docker network disconnect front absent 2>&1',
  'docker stop -t 0 bb',
  `${members} back | sort`,
  'docker network connect front bb',
  'docker start bb',
  // On dockerd the interfaces may have changed their names, and the new endpoint has the lowest free address.
  `${addresses('bb')} | sed 's/^eth. //; s/[0-9]*[/]/N\\//' | sort`,
  'docker exec bb ip route | awk "/default/ { print \\$3 }"',
  '! docker run -d --network absent netyard-test true',
  'docker network create --internal closed',
  'docker run --rm --network closed netyard-test ip addr show eth0 | grep -o "inet [^ ]*"',
  'docker network rm closed',
  // dockerd keeps the subnet of the network that was not created.
  '! docker network create -o com.docker.network.bridge.enable_icc=maybe other 2>&1',
  '! docker network rm closed 2>&1',
  '! docker network rm bridge 2>&1',
  'docker rm -f bb',
  'docker network prune -f',
  'docker network prune -f',
  'docker rm -f aa',
  'docker system prune -f | head -n 2',
  'docker network ls --format "{{.Name}}"',
  events,
]);
