/**
 * Faults of neighbours, rules and programs on the peer, in the scene of host-faults.ts: `app` on server1 traces `web`
 * (192.168.12.20) and `odd` on docker0 of server2. MTUs of containers and forwarding are not among them: the peer's daemon
 * repairs them at once.
 */
import { until } from '../support/host.ts';
import type { Fault } from './fault.ts';

const toWeb = (): readonly string[] => ['app', 'server2/web:80'];
const web = '192.168.12.20';
const otherMac = '02:00:00:00:00:77';

export const peerHostFaults: readonly Fault[] = [
  {
    name: 'a full accept queue',
    make: async ({ host, neighbour }) => {
      const address = (await neighbour.docker('inspect', '-f', '{{.NetworkSettings.IPAddress}}', 'odd')).trim();
      await neighbour.docker('exec', 'odd', 'sh', '-c', 'kill -STOP $(pidof nginx)');
      const connect = `for i in 1 2 3 4; do (sleep 60 | busybox nc ${address} 8008) & done; sleep 60`;
      await host.docker('exec', '-d', 'app', 'sh', '-c', connect);
      const waiting = async (): Promise<number> =>
        Number((await neighbour.docker('exec', 'odd', 'ss', '-Htln', 'sport', '=', ':8008')).trim().split(/\s+/)[1]);
      await until(async () => (await waiting()) >= 2, 'the accept queue is full');
    },
    trace: () => ['app', 'server2/odd:8008'],
    cause: 'accept-queue-full',
    host: 'server2',
    sentence: /^odd's listener on 8008\/tcp has [23] of 1 connections waiting: nginx does not accept them\.$/,
    fix: /find out why nginx in odd is busy or stopped/,
    repair: ({ neighbour }) => neighbour.docker('exec', 'odd', 'sh', '-c', 'kill -CONT $(pidof nginx)'),
  },
  {
    name: 'a neighbour entry of the peer with a wrong MAC',
    make: ({ neighbour }) => neighbour.sh(`ip neigh replace ${web} lladdr 02:00:00:00:00:99 dev docker0 nud permanent`),
    trace: toWeb,
    cause: 'wrong-mac',
    host: 'server2',
    sentence: /^Reached web with a MAC not its own, from a permanent neighbour entry of server2\.$/,
    fix: /^ip neigh del 192\.168\.12\.20 dev docker0$/,
  },
  {
    name: 'two hosts with one address on the network of the peer',
    make: ({ neighbour }) =>
      neighbour.sh(
        `set -e; ip netns add double; ip link add double0 type veth peer name eth0 netns double
        ip link set double0 master docker0 up; ip -n double link set eth0 address ${otherMac} up
        ip -n double address add ${web}/24 dev eth0; ip neigh replace ${web} lladdr ${otherMac} dev docker0 nud reachable`,
      ),
    trace: toWeb,
    cause: 'doubled-address',
    host: 'server2',
    sentence: /^Two MACs answer for 192\.168\.12\.20 on docker0: .*double/,
    fix: /give one of them another address/,
    repair: ({ neighbour }) => neighbour.sh(`ip netns del double; ip neigh del ${web} dev docker0`),
  },
  {
    name: 'a rule of iptables-legacy on the peer',
    make: ({ neighbour }) => neighbour.sh('iptables-legacy -I FORWARD -o docker0 -s 192.168.11.0/24 -j DROP'),
    trace: toWeb,
    cause: 'iptables-legacy',
    host: 'server2',
    sentence:
      /^Dropped at server2 by the rule "-s 192\.168\.11\.0\/24 -o docker0 -j DROP" of iptables-legacy filter FORWARD\.$/,
    fix: /^iptables-legacy -t filter -I FORWARD -s 192\.168\.11\.\d+ -d 192\.168\.12\.20 -p tcp --dport 80 -j ACCEPT$/,
    clean: ({ neighbour }) => neighbour.sh('iptables-legacy -F FORWARD'),
  },
];
