/**
 * Faults that any engine's containers can have. The scene: `app` and `web` (published on 8080) on net1, `far` on net2,
 * `inner` on the internal network back, `odd` on net1 with listeners on addresses of its own.
 */
import { hostAddress, neighbourAddress, until } from '../support/host.ts';
import { bound, type Fault, type FaultContext } from './fault.ts';

const oddConfig =
  'events{} http{ server{ listen [::]:8006; } server{ listen 127.0.0.1:8007; } server{ listen 8008 backlog=1; } }';

export const images = ['nginx-web01'] as const;

/** Creates the scene. */
export async function setScene({ host }: Pick<FaultContext, 'host'>): Promise<void> {
  for (const network of ['net1', 'net2']) await host.docker('network', 'create', network);
  await host.docker('network', 'create', '--internal', 'back');
  const run = (name: string, network: string, ...rest: string[]): Promise<string> =>
    host.docker('run', '-d', '--name', name, '--network', network, ...rest);
  await run('app', 'net1', '--stop-timeout', '1', 'nginx-web01', 'sleep', '100000');
  await run('web', 'net1', '-p', '8080:80', 'nginx-web01', 'nginx');
  await run('far', 'net2', 'nginx-web01', 'nginx');
  await run('inner', 'back', 'nginx-web01', 'sleep', '100000');
  await run(
    'odd',
    'net1',
    'nginx-web01',
    'sh',
    '-c',
    `[ -f /tmp/odd.conf ] || echo '${oddConfig}' > /tmp/odd.conf; exec nginx -c /tmp/odd.conf -g 'daemon off;'`,
  );
}

export const toWeb = (): readonly string[] => ['app', 'web:80'];
const toNeighbour = (): readonly string[] => ['app', neighbourAddress];

const ports: readonly Fault[] = [
  {
    name: 'a port that is not published',
    make: async () => {},
    trace: () => ['app', `${hostAddress}:9999`],
    cause: 'not-published',
    sentence: /^Stopped at server1: nothing publishes or listens on 9999\/tcp\.$/,
    fix: /run -p 9999:/,
    repair: ({ host }) => host.docker('run', '-d', '--name', 'fixed', '-p', '9999:80', 'nginx-web01', 'nginx'),
    clean: ({ host }) => host.docker('rm', '-f', 'fixed'),
  },
  {
    name: 'a port published on loopback only',
    make: ({ host }) => host.docker('run', '-d', '--name', 'near', '-p', '127.0.0.1:8081:80', 'nginx-web01', 'nginx'),
    trace: () => ['app', `${hostAddress}:8081`],
    cause: 'published-elsewhere',
    sentence: /^Stopped at server1: 8081\/tcp of near is published on 127\.0\.0\.1 only\.$/,
    fix: /run -p 8081:80\/tcp/,
    repair: ({ host }) => host.sh('docker rm -f near; docker run -d --name near -p 8081:80 nginx-web01 nginx'),
    clean: ({ host }) => host.docker('rm', '-f', 'near'),
  },
  {
    name: 'a program that listens on 127.0.0.1',
    make: async () => {},
    trace: () => ['app', 'odd:8007'],
    cause: 'bound-elsewhere',
    sentence: /^Reached odd, but nginx listens on 127\.0\.0\.1:8007 only\.$/,
    fix: /let nginx in odd listen on 0\.0\.0\.0:8007/,
    repair: ({ host }) =>
      host.sh("docker exec odd sed -i 's/127.0.0.1:8007/8007/' /tmp/odd.conf; docker restart -t 0 odd"),
  },
  {
    name: 'a port without listener',
    make: async () => {},
    trace: () => ['app', 'web:81'],
    cause: 'no-listener',
    sentence: /^Reached web, but nothing listens on 81\/tcp there \(80\/tcp does\)\.$/,
    fix: /^use port 80,/,
    repair: async () => {},
    traceAfter: toWeb,
  },
  {
    name: 'a listener for IPv6 only',
    make: async () => {},
    trace: () => ['app', 'odd:8006'],
    cause: 'other-family',
    sentence: /^Reached odd by IPv4; nginx listens on \[::\]:8006 with v6only\.$/,
    fix: /0\.0\.0\.0:8006/,
    repair: ({ host }) =>
      host.sh("docker exec odd sed -i 's/listen ....:8006;/listen 8006;/' /tmp/odd.conf; docker restart -t 0 odd"),
  },
  {
    name: 'a full accept queue',
    make: async ({ host, addressOf, inside }) => {
      const address = await addressOf('odd');
      await host.docker('exec', 'odd', 'sh', '-c', 'kill -STOP $(pidof nginx)');
      await host.docker(
        'exec',
        '-d',
        'app',
        'sh',
        '-c',
        `for i in 1 2 3 4; do (sleep 60 | busybox nc ${address} 8008) & done; sleep 60`,
      );
      const waiting = async (): Promise<number> =>
        Number((await inside('odd', 'ss -Htln sport = :8008')).trim().split(/\s+/)[1]);
      await until(async () => (await waiting()) >= 2, 'the accept queue is full');
    },
    trace: () => ['app', 'odd:8008'],
    cause: 'accept-queue-full',
    sentence: /^odd's listener on 8008\/tcp has [23] of 1 connections waiting: nginx does not accept them\.$/,
    fix: /find out why nginx in odd is busy or stopped/,
    repair: ({ host }) => host.docker('exec', 'odd', 'sh', '-c', 'kill -CONT $(pidof nginx)'),
  },
];

const isolation: readonly Fault[] = [
  {
    name: 'containers without a common network',
    make: async () => {},
    trace: ({ addressOf }) => addressOf('far').then((address) => ['app', `${address}:80`]),
    cause: 'isolated',
    sentence: /^Dropped at server1 between net1 and net2: app and far have no common network\.$/,
    fix: /^\w+ network connect net2 app$/,
    clean: ({ host }) => host.docker('network', 'disconnect', 'net2', 'app'),
  },
  {
    name: 'a network whose members may not talk (icc)',
    make: async ({ host }) => {
      await host.docker('network', 'create', '-o', 'com.docker.network.bridge.enable_icc=false', 'closed');
      await host.docker('run', '-d', '--name', 'closed1', '--network', 'closed', 'nginx-web01', 'sleep', '100000');
      await host.docker('run', '-d', '--name', 'closed2', '--network', 'closed', 'nginx-web01', 'nginx');
    },
    trace: () => ['closed1', 'closed2:80'],
    cause: 'icc-off',
    sentence: /^Dropped on br-[0-9a-f]{12} by \w+'s "icc=false": closed1 may not talk to closed2 freely\.$/,
    fix: /network create .*network connect .* closed1 .*network connect .* closed2/,
    traceAfter: ({ host }) =>
      host
        .docker('inspect', '-f', '{{(index .NetworkSettings.Networks "closed1-closed2").IPAddress}}', 'closed2')
        .then((address) => ['closed1', `${address}:80`]),
    clean: ({ host }) => host.sh('docker rm -f closed1 closed2; docker network rm closed closed1-closed2'),
  },
  {
    name: 'a container on an internal network only',
    make: async () => {},
    trace: () => ['inner', neighbourAddress],
    cause: 'internal',
    sentence: /^inner cannot leave: its only network, back, is internal\.$/,
    fix: /^\w+ network connect net1 inner$/,
    clean: ({ host }) => host.docker('network', 'disconnect', 'net1', 'inner'),
  },
  {
    name: 'a rule of the host that drops what is forwarded',
    make: ({ host }) => host.sh('iptables -I FORWARD -o ens33 -j DROP'),
    trace: toNeighbour,
    cause: 'dropped-by-firewall',
    sentence: /^Dropped at server1, br-[0-9a-f]{12} → ens33, by the rule ".*" of ip filter FORWARD\.$/,
    fix: /^iptables -I FORWARD -i br-[0-9a-f]{12} -o ens33 -j ACCEPT$/,
    clean: ({ host, bridgeOf }) =>
      bridgeOf('net1').then((bridge) =>
        host.sh(`iptables -D FORWARD -o ens33 -j DROP; iptables -D FORWARD -i ${bridge} -o ens33 -j ACCEPT`),
      ),
  },
  {
    name: 'a rule of the host that drops what is for the host',
    make: ({ host }) =>
      host.sh(
        `setsid sh -c 'echo $$ > /run/listener; exec node -e "require(\\"net\\").createServer().listen(9000)"' > /dev/null 2>&1 &
         ${bound('tcp', 9000)}; iptables -I INPUT -p tcp --dport 9000 -j DROP`,
      ),
    trace: () => ['app', `${hostAddress}:9000`],
    cause: 'dropped-by-firewall',
    sentence: /^Dropped at server1 on its way in by the rule ".*" of ip filter INPUT\.$/,
    fix: /^iptables -I INPUT -i br-[0-9a-f]{12} -p tcp --dport 9000 -j ACCEPT$/,
    clean: ({ host, bridgeOf }) =>
      bridgeOf('net1').then((bridge) =>
        host.sh(
          `iptables -D INPUT -p tcp --dport 9000 -j DROP; iptables -D INPUT -i ${bridge} -p tcp --dport 9000 -j ACCEPT; kill $(cat /run/listener)`,
        ),
      ),
  },
];

const states: readonly Fault[] = [
  {
    name: 'a paused container',
    make: ({ host }) => host.docker('pause', 'web'),
    trace: toWeb,
    cause: 'target-paused',
    sentence: /^web is paused: the kernel accepts connections for it, but no process answers\.$/,
    fix: /^\w+ unpause web$/,
  },
  {
    name: 'a stopped container',
    make: ({ host }) => host.docker('stop', '-t', '0', 'web'),
    trace: toWeb,
    cause: 'target-not-running',
    sentence: /^web has ended with exit code \d+ \d+ s ago\.$/,
    fix: /^\w+ start web$/,
  },
  {
    name: 'a name that resolves to a former address',
    make: ({ host }) => host.docker('exec', 'app', 'sh', '-c', 'echo 172.30.0.9 web >> /etc/hosts'),
    trace: toWeb,
    cause: 'stale-name',
    sentence: /^app resolves web to 172\.30\.0\.9, but web is [\d.]+: the hosts file of app is out of date\.$/,
    fix: /^\w+ restart app$/,
  },
];

export const commonFaults: readonly Fault[] = [...ports, ...isolation, ...states];

/** Faults that Netyard's daemon repairs at once: for engines that do not. */
export const linkFaults: readonly Fault[] = [
  {
    name: 'a bridge that is down',
    make: ({ host, bridgeOf }) => bridgeOf('net1').then((bridge) => host.sh(`ip link set ${bridge} down`)),
    trace: toWeb,
    cause: 'link-down',
    sentence: /^br-[0-9a-f]{12} is down on server1\.$/,
    fix: /^ip link set br-[0-9a-f]{12} up$/,
  },
  {
    name: 'a veth pair that is down',
    make: ({ host, outerLinkOf }) => outerLinkOf('web').then((link) => host.sh(`ip link set ${link} down`)),
    trace: toWeb,
    cause: 'link-down',
    sentence: /\w+ is down on server1\.$/,
    fix: /^ip link set \w+ up$/,
  },
  {
    name: 'a veth pair outside of its bridge',
    make: ({ host, outerLinkOf }) => outerLinkOf('web').then((link) => host.sh(`ip link set ${link} nomaster`)),
    trace: toWeb,
    cause: 'link-down',
    sentence: /^web's \w+ is not in br-[0-9a-f]{12} on server1\.$/,
    fix: /^ip link set \w+ master br-[0-9a-f]{12}$/,
  },
  {
    name: 'forwarding that is off',
    make: ({ host }) => host.sh('sysctl -qw net.ipv4.ip_forward=0'),
    trace: toNeighbour,
    cause: 'forwarding-off',
    sentence: /^Dropped at server1: net\.ipv4\.ip_forward is 0\.$/,
    fix: /^sysctl -w net\.ipv4\.ip_forward=1$/,
  },
  {
    name: 'a default route that was deleted',
    make: ({ inside }) => inside('app', 'ip route del default'),
    trace: toNeighbour,
    cause: 'no-route',
    sentence: /^app has no route to 172\.16\.2\.102\.$/,
    fix: /^nsenter --net=\S+ ip route add default via [\d.]+$/,
  },
  {
    name: 'a blackhole route on the host',
    make: ({ host }) => host.sh(`ip route add blackhole ${neighbourAddress}`),
    trace: toNeighbour,
    cause: 'route-refuses',
    sentence: /^Stopped at server1: the route "blackhole 172\.16\.2\.102.*" refuses 172\.16\.2\.102\.$/,
    fix: /^ip route delete blackhole 172\.16\.2\.102/,
  },
  {
    name: 'a neighbour entry with a wrong MAC',
    make: async ({ inside, addressOf }) =>
      inside('app', `ip neigh replace ${await addressOf('web')} lladdr 02:00:00:00:00:99 dev eth0 nud permanent`),
    trace: toWeb,
    cause: 'wrong-mac',
    sentence: /^Reached web with a MAC not its own, from a permanent neighbour entry of app\.$/,
    fix: /^nsenter --net=\S+ ip neigh del [\d.]+ dev eth0$/,
  },
  {
    name: 'an address that no host has',
    make: async () => {},
    trace: ({ addressOf }) => addressOf('app').then((address) => ['app', address.replace(/\d+$/, '99')]),
    cause: 'no-neighbour',
    sentence: /^No host answers ARP for [\d.]+\.99 on br-[0-9a-f]{12}\.$/,
    fix: /check the address/,
    repair: async () => {},
    traceAfter: toWeb,
  },
  {
    name: 'ends of a veth pair with different MTUs',
    make: ({ inside }) => inside('web', 'ip link set eth0 mtu 700'),
    trace: () => ['--size', '1000', 'app', 'web'],
    cause: 'mtu-mismatch',
    sentence: /^Swallowed between \w+ \(1500\) and web's eth0 \(700\): their MTUs differ\.$/,
    fix: /mtu/,
  },
  {
    name: 'two hosts with one address',
    make: async ({ host, addressOf, bridgeOf, inside }) => {
      const [address, bridge] = [await addressOf('web'), await bridgeOf('net1')];
      await host.sh(
        `ip netns add double; ip link add double0 type veth peer name eth0 netns double; ip link set double0 master ${bridge} up`,
      );
      await host.sh(
        `ip -n double link set eth0 address 02:00:00:00:00:77 up; ip -n double address add ${address}/16 dev eth0`,
      );
      await inside('app', `ip neigh replace ${address} lladdr 02:00:00:00:00:77 dev eth0 nud reachable`);
    },
    trace: toWeb,
    cause: 'doubled-address',
    sentence: /^Two MACs answer for [\d.]+ on br-[0-9a-f]{12}: .*double/,
    fix: /give one of them another address/,
    repair: async ({ host, inside, addressOf }) => {
      await host.sh('ip netns del double');
      await inside('app', `ip neigh del ${await addressOf('web')} dev eth0`);
    },
  },
  {
    name: 'an answer that leaves by another interface',
    make: async ({ host, inside, addressOf }) => {
      await host.docker('network', 'connect', 'net2', 'web');
      const gateway = (await inside('web', 'ip -4 -o address show dev eth1')).replace(
        /.*inet (\d+\.\d+)\..*/s,
        '$1.0.1',
      );
      await inside('web', `ip route add ${await addressOf('app')}/32 via ${gateway} dev eth1`);
    },
    trace: toWeb,
    cause: 'asymmetric',
    sentence: /^Answered, but web sends the answer by eth1 to [\d.]+ instead of eth0\.$/,
    fix: /ip route del/,
    clean: ({ host }) => host.docker('network', 'disconnect', 'net2', 'web'),
  },
  {
    name: 'a packet whose answer would leave by another interface (rp_filter)',
    make: ({ host }) =>
      host.sh(
        'ip netns add ext; ip link add ext0 type veth peer name eth0 netns ext; ip address add 10.66.0.1/24 dev ext0; ip link set ext0 up; ' +
          'ip -n ext address add 10.66.0.2/24 dev eth0; ip -n ext link set eth0 up; ip -n ext route add default via 10.66.0.1; ' +
          'ip -n ext address add 10.77.0.2/32 dev lo; ip -n ext route replace default via 10.66.0.1 src 10.77.0.2; ' +
          'ip netns exec ext sysctl -qw net.ipv4.conf.eth0.arp_announce=2; ' +
          'sysctl -qw net.ipv4.conf.ext0.rp_filter=1; ip route add 10.77.0.0/24 dev ens33',
      ),
    trace: () => ['ext', `${hostAddress}:8080`],
    cause: 'rp-filter',
    sentence: /^Dropped at server1 by rp_filter: answers would leave by ens33, not ext0\.$/,
    fix: /^ip route /,
    clean: ({ host }) => host.sh('ip netns del ext; ip route del 10.77.0.0/24'),
  },
];

/** Of Netyard on two hosts with the subnets 192.168.11.0/24 and 192.168.12.0/24. */
export const peerFaults: readonly Fault[] = [
  {
    name: 'a host that is no peer',
    make: async ({ host, neighbour }) => {
      await host.docker('run', '-d', '--name', 'base', 'nginx-web01', 'sleep', '100000');
      await neighbour.docker('run', '-d', '--name', 'remote', 'nginx-web01', 'nginx');
    },
    trace: () => ['base', '192.168.12.2:80'],
    cause: 'no-route',
    sentence: /^server1 has no route to 192\.168\.12\.2\.$/,
    fix: /^netyard peer add NAME --address HOST --subnet SUBNET/,
    repair: async ({ host, neighbour }) => {
      await host.netyard('peer', 'add', 'server2', '--address', neighbourAddress, '--subnet', '192.168.12.0/24');
      await neighbour.netyard('peer', 'add', 'server1', '--address', hostAddress, '--subnet', '192.168.11.0/24');
    },
  },
  {
    name: 'a peer that knows nothing of this host',
    make: ({ neighbour }) => neighbour.netyard('peer', 'rm', 'server1'),
    trace: () => ['base', '192.168.12.2:80'],
    cause: 'left-host',
    sentence:
      /^Left server1 by ens33 to 172\.16\.2\.102; no answer came back; server2 could not be asked: peer server2 has no API to trace through\.$/,
    fix: /^add it with an API: netyard peer add server2 /,
    repair: ({ neighbour }) =>
      neighbour.netyard('peer', 'add', 'server1', '--address', hostAddress, '--subnet', '192.168.11.0/24'),
    clean: ({ host }) => host.docker('rm', '-f', 'base'),
  },
];
