/** Scenarios of ports published over IPv4 and IPv6: addresses, errors, packets. */
import { differs, reasons, type ScenarioGroup } from './scenario.ts';

/** Starts container `a1`, prints its ports as all commands show them, and removes it. */
const ports = (options: string): string =>
  `start a1 ${options} > /dev/null; docker port a1; docker ps --format '{{.Ports}}'; docker inspect a1 | jq -Sc '.[0].NetworkSettings.Ports'; docker rm -f a1 > /dev/null`;
/** Prints only whether both families have the same port. */
const same = (options: string): string =>
  `start a1 ${options} > /dev/null; docker port a1 | sed 's/.*:/port /' | sort -u | wc -l; docker port a1 | sed 's/:[0-9]*$//'; docker rm -f a1 > /dev/null`;
const fails = (options: string): string =>
  `start a1 ${options} 2>&1 | sed 's/^[0-9a-f]\\{64\\}$//; s/([0-9a-f]\\{64\\})/(ID)/' | grep -v '^$\\|^Run '; docker rm -f a1 > /dev/null 2>&1`;
const serve = (name: string, options: string): string =>
  `docker run -d --name ${name} ${options} netyard-test sh -c 'mkdir /w; echo ${name} > /w/index.html; exec busybox httpd -f -p 80 -h /w'`;
const fetch = (url: string): string => `curl -gs --max-time 3 ${url}; echo $?`;
const exposed = 'ports that have no effect are shown as exposed, and a warning says so';
const routed = 'a routed network uses no port of the host';

export const portScenarios: readonly ScenarioGroup[] = [
  {
    title: 'published ports',
    setUp: [
      'docker network create --subnet 10.1.0.0/24 four',
      'docker network create --ipv6 --subnet 10.2.0.0/24 --subnet fd00:2::/64 both',
      'docker network create --ipv4=false --ipv6 --subnet fd00:3::/64 six',
      'docker network create --subnet 10.4.0.0/24 -o com.docker.network.bridge.gateway_mode_ipv4=routed routed4',
      'docker network create --ipv6 --subnet 10.5.0.0/24 --subnet fd00:5::/64 -o com.docker.network.bridge.gateway_mode_ipv6=routed routed6',
      'docker network create --ipv6 --subnet 10.6.0.0/24 --subnet fd00:6::/64 -o com.docker.network.bridge.host_binding_ipv4=127.0.0.1 local4',
      'docker network create --ipv6 --subnet 10.7.0.0/24 --subnet fd00:7::/64 -o com.docker.network.bridge.host_binding_ipv4=::1 local6',
      'docker network create --internal --ipv6 --subnet 10.8.0.0/24 --subnet fd00:8::/64 inside',
    ],
    scenarios: [
      ports('-p 8080:80'),
      ports('--network four -p 8080:80'),
      ports('--network both -p 8080:80'),
      ports('--network six -p 8080:80'),
      differs(ports('--network routed4 -p 8080:80'), routed),
      ports('--network routed6 -p 8080:80'),
      ports('--network local4 -p 8080:80'),
      ports('--network local6 -p 8080:80'),
      differs(ports('--network inside -p 8080:80'), exposed),
      ports('-p 0.0.0.0:8080:80'),
      ports("-p '[::]:8080:80'"),
      ports("-p '[::1]:8080:80'"),
      ports('-p 127.0.0.1:8080:80'),
      ports("--network both -p '[::]:8080:80' -p 0.0.0.0:8081:80"),
      ports("--network six -p '[::]:8080:80' -p 127.0.0.1:8080:80"),
      ports('-p 8081:80 -p 8080:80 -p 8082:81/udp'),
      ports('-p 8080-8082:80-82'),
      ports("-p 127.0.0.1:8080:80 -p '[::1]:8080:80'"),
      same('-p 80'),
      same('--network both -P --expose 80'),
      same('--network both -p 8000-8010:80'),
      same("-p 127.0.0.1::80 -p '[::1]::80'"),
      `api POST '/containers/create?name=a1' '{"Image":"netyard-test","Cmd":["sleep","9"],"HostConfig":{"PortBindings":{"80/tcp":[{"HostIp":"::","HostPort":"8080"}]}}}' | tail -n 1; docker start a1; docker port a1; docker inspect -f '{{json .HostConfig.PortBindings}}' a1; docker rm -f a1`,
      differs(fails("-p '[2001:db8::99]:8080:80'"), reasons.newer),
      // With one address: of two families, Docker names either.
      fails('-p 127.0.0.1:8080:80 -p 127.0.0.1:8080:81'),
      `start b1 -p '[::]:8080:80' > /dev/null; ${fails('-p 8080:80')}; docker rm -f b1`,
      `start b1 -p '[::]:8080:80' > /dev/null; ${ports('-p 0.0.0.0:8080:80')}; docker rm -f b1`,
      `start b1 -p '[::1]:8080:80' > /dev/null; ${fails("-p '[::]:8080:80'")}; docker rm -f b1`,
      differs(
        `socat TCP6-LISTEN:8080,ipv6only=1 /dev/null > /dev/null 2>&1 & pid=$!; sleep 1; ${fails('-p 8080:80')}; kill $pid`,
        reasons.newer,
      ),
      differs(
        `socat TCP6-LISTEN:8080,ipv6only=0 /dev/null > /dev/null 2>&1 & pid=$!; sleep 1; ${fails('-p 0.0.0.0:8080:80')}; kill $pid`,
        reasons.newer,
      ),
      differs(
        `socat UDP6-LISTEN:8080,ipv6only=1 /dev/null > /dev/null 2>&1 & pid=$!; sleep 1; ${fails('-p 8080:80/udp')}; kill $pid`,
        reasons.newer,
      ),
      `start a1 --network four -p 8080:80 > /dev/null; docker network connect six a1; docker port a1; docker network disconnect six a1; docker port a1; docker rm -f a1`,
      `start a1 --network six -p 8080:80 > /dev/null; docker network connect four a1; docker port a1; docker network disconnect six a1; docker port a1; docker rm -f a1`,
      `start a1 --network both -p 8080:80 > /dev/null; docker network disconnect both a1; docker port a1; docker network connect both a1; docker port a1; docker rm -f a1`,
    ],
  },
  {
    title: 'packets to ports',
    setUp: [
      'docker network create --ipv6 --subnet 10.2.0.0/24 --subnet fd00:2::/64 both',
      'docker network create --ipv6 --subnet 10.3.0.0/24 --subnet fd00:3::/64 other',
      'docker network create --internal --ipv6 --subnet 10.8.0.0/24 --subnet fd00:8::/64 inside',
      serve('w4', "-p 8080:80 -p '[::1]:8081:80'"),
      serve('w6', "--network both -p 9080:80 -p '[::1]:9081:80'"),
      'start c1 --network other',
      'start i1 --network inside',
      'sleep 1',
    ],
    scenarios: [
      ...[8080, 8081, 9080, 9081].flatMap((port) => [
        fetch(`http://127.0.0.1:${port}`),
        fetch(`http://[::1]:${port}`),
        fetch(`http://[fd00:3::1]:${port}`),
        `docker exec c1 wget -q -T 2 -t 1 -O - http://[fd00:3::1]:${port}`,
        `docker exec w6 wget -q -T 2 -t 1 -O - http://[fd00:2::1]:${port}`,
      ]),
      `start u1 -p 5353:53/udp > /dev/null; docker exec -d u1 busybox nc -u -l -p 53 -e echo answer; sleep 1; echo q | socat -T 1 - UDP6:[::1]:5353; docker rm -f u1`,
    ],
  },
];
