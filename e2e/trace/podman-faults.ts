/** Faults of Podman's containers: `app2` and `web2` on the network pods. */
import type { Fault, FaultContext } from './fault.ts';

type Run = (line: string) => Promise<string>;

/**
 * A bridge has the lowest MAC of its ports unless it is given one: each restart of a container could otherwise leave app2
 * with an outdated neighbour entry, which is a fault of its own.
 */
export async function setPodmanScene(run: Run, archive: string): Promise<void> {
  await run(`podman load -q -i ${archive}
    podman network create --subnet 10.66.0.0/24 pods
    podman run -d --name app2 --network pods nginx-web01 sleep 100000
    ip link set podman1 address ${bridgeMac}
    podman run -d --name web2 --network pods nginx-web01 nginx`);
}

const bridgeMac = '02:00:00:66:00:01';

const toWeb = (): readonly string[] => ['app2', 'web2:80'];

const bridgeOf = ({ sh }: FaultContext): Promise<string> =>
  sh('podman network inspect pods | sed -n \'s/.*"network_interface": "\\(.*\\)".*/\\1/p\'').then((text) =>
    text.trim(),
  );

export const podmanFaults: readonly Fault[] = [
  {
    name: 'a port without listener',
    make: async () => {},
    trace: () => ['app2', 'web2:81'],
    cause: 'no-listener',
    sentence: /^Reached web2, but nothing listens on 81\/tcp there \(80\/tcp does\)\.$/,
    fix: /^use port 80,/,
    repair: async () => {},
    traceAfter: toWeb,
  },
  {
    name: 'a paused container',
    make: ({ sh }) => sh('podman pause web2'),
    trace: toWeb,
    cause: 'target-paused',
    sentence: /^web2 is paused: /,
    fix: /^podman unpause web2$/,
  },
  {
    name: 'a stopped container',
    make: ({ sh }) => sh('podman stop -t 0 web2'),
    trace: toWeb,
    cause: 'target-not-running',
    sentence: /^web2 has ended with exit code \d+/,
    fix: /^podman start web2$/,
  },
  {
    name: 'a bridge that is down',
    make: async (context) => context.sh(`ip link set ${await bridgeOf(context)} down`),
    trace: toWeb,
    cause: 'link-down',
    sentence: /^podman\d+ is down on server1\.$/,
    fix: /^ip link set podman\d+ up$/,
  },
  {
    name: 'a rule of the host that drops what is for the host',
    make: ({ sh }) =>
      sh('nft "add table inet fw { chain in { type filter hook input priority 0; icmp type echo-request drop; }; }"'),
    trace: () => ['app2', 'host'],
    cause: 'dropped-by-firewall',
    sentence: /^Dropped at server1 on its way in by the rule "icmp type echo-request drop" of inet fw in\.$/,
    fix: /^nft insert rule inet fw in meta l4proto icmp accept$/,
    clean: ({ sh }) => sh('nft delete table inet fw'),
  },
  {
    name: 'a bridge that takes another MAC',
    make: ({ sh }) => sh('podman exec app2 ping -c 1 -W 5 10.66.0.1; ip link set podman1 address 02:00:00:66:00:02'),
    trace: () => ['app2', 'host'],
    cause: 'outdated-mac',
    sentence:
      /^Sent to 02:00:00:66:00:01, which podman1 of server1 does not have: the neighbour entry of app2 for 10\.66\.0\.1 is out of date\.$/,
    fix: /^nsenter --net=\S+ ip neigh del 10\.66\.0\.1 dev eth0$/,
  },
  {
    name: 'a neighbour entry with a wrong MAC',
    make: ({ sh }) =>
      sh(`web=$(podman inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' web2)
        nsenter --net=/proc/$(podman inspect -f '{{.State.Pid}}' app2)/ns/net ip neigh replace $web lladdr 02:00:00:00:00:99 dev eth0 nud permanent`),
    trace: toWeb,
    cause: 'wrong-mac',
    sentence: /^Reached web2 with a MAC not its own, from a permanent neighbour entry of app2\.$/,
    fix: /^nsenter --net=\S+ ip neigh del [\d.]+ dev eth0$/,
  },
];
