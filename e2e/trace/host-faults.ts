/**
 * Faults between two hosts that are peers: `app` on server1 (192.168.11.0/24) and, on server2 (192.168.12.0/24), `web`,
 * published on 8080, `odd` with listeners on addresses of its own, and `shut` on a network that does not accept peers.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { hostAddress, neighbourAddress } from '../support/host.ts';
import type { Fault, FaultContext } from './fault.ts';
import { peerHostFaults } from './peer-host-faults.ts';

const oddConfig =
  'events{} http{ server{ listen [::]:8006; } server{ listen 127.0.0.1:8007; } server{ listen 8008 backlog=1; } }';

type Hosts = Pick<FaultContext, 'host' | 'neighbour'>;

export async function setHostScene({ host, neighbour }: Hosts): Promise<void> {
  await host.docker('run', '-d', '--name', 'app', 'nginx-web01', 'sleep', '100000');
  const serve = `[ -f /tmp/odd.conf ] || echo '${oddConfig}' > /tmp/odd.conf; exec nginx -c /tmp/odd.conf -g 'daemon off;'`;
  await neighbour.docker(
    'run',
    '-d',
    '--name',
    'web',
    '--ip',
    '192.168.12.20',
    '-p',
    '8080:80',
    'nginx-web01',
    'nginx',
  );
  await neighbour.docker('run', '-d', '--name', 'odd', 'nginx-web01', 'sh', '-c', serve);
  await neighbour.docker('run', '-d', '--name', 'near', '-p', '127.0.0.1:8081:80', 'nginx-web01', 'nginx');
  await neighbour.docker('network', 'create', '--subnet', '10.50.0.0/24', 'closed');
  await neighbour.docker('run', '-d', '--name', 'shut', '--network', 'closed', 'nginx-web01', 'nginx');
}

/** Both hosts know each other, by one kind of path. */
export async function connectHosts(
  { host, neighbour }: Hosts,
  via: 'route' | 'vxlan',
  api: readonly string[],
): Promise<void> {
  for (const [one, name] of [
    [host, 'server2'],
    [neighbour, 'server1'],
  ] as const)
    await one.tryNetyard('peer', 'rm', name);
  const subnets = ['--subnet', '192.168.12.0/24', '--subnet', '10.50.0.0/24'];
  await host.netyard('peer', 'add', 'server2', '--via', via, '--address', neighbourAddress, ...subnets, ...api);
  await knowHost({ neighbour }, via);
}

const knowHost = ({ neighbour }: Pick<Hosts, 'neighbour'>, via: 'route' | 'vxlan'): Promise<string> =>
  neighbour.netyard('peer', 'add', 'server1', '--via', via, '--address', hostAddress, '--subnet', '192.168.11.0/24');

const toWeb = (): readonly string[] => ['app', 'server2/web:80'];
const byAddress = (): readonly string[] => ['app', '192.168.12.20:80'];
const appAddress = '192.168.11.2';
/** Another network of server2, by which packets can leave. */
const otherWay =
  'ip netns add ext; ip link add ext0 type veth peer name eth0 netns ext; ip address add 10.66.0.1/24 dev ext0; ' +
  'ip link set ext0 up; ip -n ext address add 10.66.0.2/24 dev eth0; ip -n ext link set eth0 up; ';

/** Whatever the path. */
export const sharedHostFaults = (via: 'route' | 'vxlan'): readonly Fault[] => [
  {
    name: 'a rule of the peer that drops what is forwarded',
    make: ({ neighbour }) => neighbour.sh('iptables -I FORWARD -o docker0 -s 192.168.11.0/24 -j DROP'),
    trace: toWeb,
    cause: 'dropped-by-firewall',
    host: 'server2',
    sentence: /^Dropped at server2, \S+ → docker0, by the rule ".*" of ip filter FORWARD\.$/,
    fix: /^iptables -I FORWARD -i \S+ -o docker0 -j ACCEPT$/,
    clean: ({ neighbour }) => neighbour.sh('iptables -F FORWARD'),
  },
  {
    name: 'a rule of the peer that drops the answer',
    make: ({ neighbour }) => neighbour.sh('iptables -I FORWARD -i docker0 -d 192.168.11.0/24 -j DROP'),
    trace: toWeb,
    cause: 'answer-dropped',
    host: 'server2',
    sentence: /^The answer was dropped at server2, docker0 → \S+, by the rule ".*" of ip filter FORWARD\.$/,
    fix: /^iptables -I FORWARD -i docker0 -o \S+ -j ACCEPT$/,
    clean: ({ neighbour }) => neighbour.sh('iptables -F FORWARD'),
  },
  {
    name: 'a peer that does not know this host',
    make: ({ neighbour }) => neighbour.netyard('peer', 'rm', 'server1'),
    trace: byAddress,
    cause: 'unknown-to-peer',
    host: 'server2',
    sentence: /^Dropped at server2: it has no peer with the subnet 192\.168\.11\.0\/24 of 192\.168\.11\.2\.$/,
    fix: /^netyard peer add server1 --address 172\.16\.2\.101 --subnet 192\.168\.11\.0\/24( --via vxlan)?$/,
    clean: (context) => context.neighbour.netyard('peer', 'rm', 'server1').then(() => knowHost(context, via)),
  },
];

/** Of the target on the peer: the same whatever the path. */
export const remoteTargetFaults: readonly Fault[] = [
  ...peerHostFaults,
  {
    name: 'a port without listener',
    make: async () => {},
    trace: () => ['app', 'server2/web:81'],
    cause: 'no-listener',
    host: 'server2',
    sentence: /^Reached web, but nothing listens on 81\/tcp there \(80\/tcp does\)\.$/,
    fix: /^use port 80,/,
    repair: async () => {},
    traceAfter: toWeb,
  },
  {
    name: 'a program that listens on 127.0.0.1',
    make: async () => {},
    trace: () => ['app', 'server2/odd:8007'],
    cause: 'bound-elsewhere',
    host: 'server2',
    sentence: /^Reached odd, but nginx listens on 127\.0\.0\.1:8007 only\.$/,
    fix: /let nginx in odd listen on 0\.0\.0\.0:8007/,
    repair: ({ neighbour }) =>
      neighbour.sh("docker exec odd sed -i 's/127.0.0.1:8007/8007/' /tmp/odd.conf; docker restart -t 0 odd"),
  },
  {
    name: 'a listener for IPv6 only',
    make: async () => {},
    trace: () => ['app', 'server2/odd:8006'],
    cause: 'other-family',
    host: 'server2',
    sentence: /^Reached odd by IPv4; nginx listens on \[::\]:8006 with v6only\.$/,
    fix: /0\.0\.0\.0:8006/,
    repair: ({ neighbour }) =>
      neighbour.sh("docker exec odd sed -i 's/listen ....:8006;/listen 8006;/' /tmp/odd.conf; docker restart -t 0 odd"),
  },
  {
    name: 'a port that the peer does not publish',
    make: async () => {},
    trace: () => ['app', `${neighbourAddress}:9999`],
    cause: 'not-published',
    host: 'server2',
    sentence: /^Stopped at server2: nothing publishes or listens on 9999\/tcp\.$/,
    fix: /run -p 9999:/,
    repair: ({ neighbour }) =>
      neighbour.docker('run', '-d', '--name', 'fixed', '-p', '9999:80', 'nginx-web01', 'nginx'),
    clean: ({ neighbour }) => neighbour.docker('rm', '-f', 'fixed'),
  },
  {
    name: 'a port that the peer publishes on loopback only',
    make: async () => {},
    trace: () => ['app', `${neighbourAddress}:8081`],
    cause: 'published-elsewhere',
    host: 'server2',
    sentence: /^Stopped at server2: 8081\/tcp of near is published on 127\.0\.0\.1 only\.$/,
    fix: /run -p 8081:80\/tcp/,
    repair: ({ neighbour }) =>
      neighbour.sh('docker rm -f near; docker run -d --name near -p 8081:80 nginx-web01 nginx'),
  },
  {
    name: 'a paused container',
    make: ({ neighbour }) => neighbour.docker('pause', 'web'),
    trace: byAddress,
    cause: 'target-paused',
    host: 'server2',
    sentence: /^web is paused: the kernel accepts connections for it, but no process answers\.$/,
    fix: /^netyard unpause web$/,
  },
  {
    name: 'a stopped container',
    make: ({ neighbour }) => neighbour.docker('stop', '-t', '0', 'odd'),
    trace: () => ['app', 'server2/odd:8006'],
    cause: 'target-not-running',
    host: 'server2',
    sentence: /^odd has ended with exit code \d+ \d+ s ago\.$/,
    fix: /^netyard start odd$/,
    traceAfter: () => ['app', 'server2/odd'],
  },
  {
    name: 'an address that no container has',
    make: async () => {},
    trace: () => ['app', '192.168.12.99'],
    cause: 'no-neighbour',
    host: 'server2',
    sentence: /^No host answers ARP for 192\.168\.12\.99 on docker0\.$/,
    fix: /check the address/,
    repair: async () => {},
    traceAfter: toWeb,
  },
  {
    name: 'a rule in the target that drops the packet',
    make: ({ neighbour }) =>
      neighbour.sh(`nsenter --net=$(${netnsOf('web')}) iptables -I INPUT -p tcp --dport 80 -j DROP`),
    trace: toWeb,
    cause: 'dropped-by-firewall',
    host: 'server2',
    sentence: /^Dropped at web on its way in by the rule ".*" of ip filter INPUT\.$/,
    fix: /^nsenter --net=\S+ iptables -I INPUT -i eth0 -p tcp --dport 80 -j ACCEPT$/,
    clean: ({ neighbour }) => neighbour.sh(`nsenter --net=$(${netnsOf('web')}) iptables -F INPUT`),
  },
  {
    name: 'a network that does not accept peers',
    make: async () => {},
    trace: () => ['app', 'server2/shut:80'],
    cause: 'network-without-peers',
    host: 'server2',
    sentence: /^Dropped at server2: network closed does not accept packets of peers\.$/,
    fix: /netyard network create -o netyard\.peers=accept/,
    repair: ({ neighbour }) =>
      neighbour.sh(
        'docker rm -f shut; docker network rm closed; netyard network create --subnet 10.50.0.0/24 -o netyard.peers=accept closed;' +
          'docker run -d --name shut --network closed nginx-web01 nginx',
      ),
  },
];

function netnsOf(container: string): string {
  return `docker inspect -f '{{.NetworkSettings.SandboxKey}}' ${container}`;
}

export const routeFaults: readonly Fault[] = [
  {
    name: 'an answer that leaves the peer by another interface',
    make: ({ neighbour }) => neighbour.sh(`${otherWay} ip route add ${appAddress}/32 via 10.66.0.2 dev ext0`),
    trace: toWeb,
    cause: 'asymmetric',
    host: 'server2',
    sentence: /^Answered, but server2 sends the answer by ext0 to 10\.66\.0\.2 instead of \S+\.$/,
    fix: /^ip route del 192\.168\.11\.2\/32 via 10\.66\.0\.2 dev ext0$/,
    clean: ({ neighbour }) => neighbour.sh('ip netns del ext'),
  },
  {
    name: 'a route of the peer that refuses the answer',
    make: ({ neighbour }) => neighbour.sh(`ip route add blackhole ${appAddress}/32`),
    trace: toWeb,
    cause: 'route-refuses-answer',
    host: 'server2',
    sentence: /^Answered, but the route "blackhole 192\.168\.11\.2\S*" of server2 refuses 192\.168\.11\.2\.$/,
    fix: /^ip route delete blackhole 192\.168\.11\.2/,
  },
  {
    name: 'a reverse path filter of the peer',
    make: ({ neighbour }) =>
      neighbour.sh(
        `${otherWay} ip route add ${appAddress}/32 via 10.66.0.2 dev ext0; sysctl -qw net.ipv4.conf.ens33.rp_filter=1`,
      ),
    trace: toWeb,
    cause: 'rp-filter',
    host: 'server2',
    sentence: /^Dropped at server2 by rp_filter: answers would leave by ext0, not ens33\.$/,
    fix: /^ip route del 192\.168\.11\.2\/32 via 10\.66\.0\.2 dev ext0$/,
    clean: ({ neighbour }) => neighbour.sh('sysctl -qw net.ipv4.conf.ens33.rp_filter=0; ip netns del ext'),
  },
  {
    name: 'links of the two hosts with different MTUs',
    make: ({ neighbour }) => neighbour.sh('ip link set ens33 mtu 900'),
    trace: () => ['--size', '1000', 'app', 'server2/web'],
    cause: 'mtu-black-hole',
    host: 'server2',
    sentence:
      /^Packets over 900 bytes vanish between server1's ens33 \(1500\) and server2's ens33 \(900\): their MTUs differ\.$/,
    fix: /^ip link set ens33 mtu 1500$/,
  },
  {
    name: 'a peer that is down',
    make: ({ neighbour }) => neighbour.sh('ip link set ens33 down'),
    trace: byAddress,
    cause: 'next-hop-silent',
    sentence: /^172\.16\.2\.102 does not answer ARP on ens33 of server1\.$/,
    fix: /check the cable/,
    repair: ({ neighbour }) => neighbour.sh('ip link set ens33 up'),
  },
  {
    name: 'a peer whose API does not answer, behind a rule that drops',
    make: ({ neighbour }) =>
      neighbour.sh('iptables -I FORWARD -i ens33 -j DROP; iptables -I INPUT -p tcp --dport 2376 -j REJECT'),
    trace: byAddress,
    cause: 'left-host',
    sentence:
      /^Left server1 by ens33 to 172\.16\.2\.102; no answer came back; server2 could not be asked: the API of peer server2 does not respond: /,
    fix: /^check that https:\/\/172\.16\.2\.102:2376 listens/,
    repair: ({ neighbour }) => neighbour.sh('iptables -F FORWARD; iptables -F INPUT'),
  },
];

/** nft commands in the namespace of the lab's switch. */
const onSwitch = async (lab: string, commands: string): Promise<unknown> =>
  await promisify(execFile)('nsenter', [`--net=/run/netyard-lab/${lab}/switches/switch`, 'nft', commands]);

export const tunnelFaults: readonly Fault[] = [
  {
    name: 'a route of the peer that leads answers past the tunnel',
    make: ({ neighbour }) => neighbour.sh(`${otherWay} ip route add ${appAddress}/32 via 10.66.0.2 dev ext0`),
    trace: toWeb,
    cause: 'asymmetric',
    host: 'server2',
    sentence: /^Answered, but server2 sends the answer by ext0 to 10\.66\.0\.2 instead of ny-vxlan\.$/,
    fix: /^ip route del 192\.168\.11\.2\/32 via 10\.66\.0\.2 dev ext0$/,
    clean: ({ neighbour }) => neighbour.sh('ip netns del ext'),
  },
  {
    name: 'a route of the peer that refuses the answer',
    make: ({ neighbour }) => neighbour.sh(`ip route add blackhole ${appAddress}/32`),
    trace: toWeb,
    cause: 'rp-filter',
    host: 'server2',
    sentence: /^Dropped at server2 by rp_filter: the route "blackhole 192\.168\.11\.2\S*" refuses answers\.$/,
    fix: /^ip route del blackhole 192\.168\.11\.2/,
  },
  {
    name: 'a rule of the peer that drops the tunnel',
    make: ({ neighbour }) => neighbour.sh('iptables -I INPUT -p udp --dport 4789 -j DROP'),
    trace: toWeb,
    cause: 'dropped-by-firewall',
    host: 'server2',
    sentence: /^Dropped at server2 on its way in by the rule ".*4789.*" of ip filter INPUT\.$/,
    fix: /^iptables -I INPUT -i ens33 -p udp --dport 4789 -j ACCEPT$/,
    clean: ({ neighbour }) => neighbour.sh('iptables -F INPUT'),
  },
  {
    name: 'a rule of this host that drops what comes back by the tunnel',
    make: ({ host }) => host.sh('iptables -I INPUT -p udp --dport 4789 -j DROP'),
    trace: toWeb,
    cause: 'answer-dropped',
    sentence: /^The answer was dropped at server1 on its way in by the rule ".*4789.*" of ip filter INPUT\.$/,
    fix: /^iptables -I INPUT -i ens33 -p udp --dport 4789 -j ACCEPT$/,
    clean: ({ host }) => host.sh('iptables -F INPUT'),
  },
  {
    name: 'a rule of the peer that drops what it sends back by the tunnel',
    make: ({ neighbour }) => neighbour.sh('iptables -I OUTPUT -p udp --dport 4789 -j DROP'),
    trace: toWeb,
    cause: 'answer-dropped',
    host: 'server2',
    sentence: /^The answer was dropped at server2 on its way out by the rule ".*4789.*" of ip filter OUTPUT\.$/,
    fix: /^iptables -I OUTPUT -o ens33 -p udp --dport 4789 -j ACCEPT$/,
    clean: ({ neighbour }) => neighbour.sh('iptables -F OUTPUT'),
  },
  {
    name: 'a rule of this host that drops the tunnel',
    make: ({ host }) => host.sh('iptables -I OUTPUT -p udp --dport 4789 -j DROP'),
    trace: toWeb,
    cause: 'dropped-by-firewall',
    sentence: /^Dropped at server1 on its way out by the rule ".*4789.*" of ip filter OUTPUT\.$/,
    fix: /^iptables -I OUTPUT -o ens33 -p udp --dport 4789 -j ACCEPT$/,
    clean: ({ host }) => host.sh('iptables -F OUTPUT'),
  },
  {
    name: 'a switch that drops the tunnel',
    make: ({ host }) =>
      onSwitch(
        host.lab,
        'add table bridge between; add chain bridge between forward { type filter hook forward priority 0; }; add rule bridge between forward udp dport 4789 drop',
      ),
    trace: toWeb,
    cause: 'lost-between-hosts',
    sentence: /^Left server1 by ens33 as VXLAN to 172\.16\.2\.102, and did not come to server2\.$/,
    fix: /^let UDP to port 4789 from server1 to server2 pass whatever is between them$/,
    repair: ({ host }) => onSwitch(host.lab, 'delete table bridge between'),
  },
];

export const healthyHostTraces = (via: 'route' | 'vxlan'): string[][] => [
  ['app', 'server2/web:80'],
  ['app', '192.168.12.20:80'],
  ['app', 'server2/web'],
  ['app', '192.168.12.20'],
  ['host', 'server2/web:80'],
  ['host', '192.168.12.20'],
  ['app', `${neighbourAddress}:8080`],
  ['app', neighbourAddress],
  ['app', 'server2/host'],
  ['host', `${neighbourAddress}:8080`],
  ['app', 'server2/shut:80'],
  ['--size', via === 'route' ? '1400' : '1300', 'app', 'server2/web'],
];
