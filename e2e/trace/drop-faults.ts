/** Faults that only the kernel's drop reason names: no rule is traced, and no counter says which packet it counted. */
import { bound, type Fault, type FaultContext } from './fault.ts';

const toWeb = (): readonly string[] => ['app', 'web:80'];
/** Binds a socket with a small buffer, and reads nothing. */
const deafServer = (port: number): string =>
  `perl -MSocket -e 'socket(S, PF_INET, SOCK_DGRAM, 0); setsockopt(S, SOL_SOCKET, SO_RCVBUF, 2048); bind(S, sockaddr_in(${port}, INADDR_ANY)) or die; sleep 600'`;
/** SIOCETHTOOL with ETHTOOL_STXCSUM, as `ethtool -K eth0 tx on|off`: without it, checksums on a host are never computed. */
const setChecksums = (value: 0 | 1): string =>
  `perl -MSocket -e 'socket(S, PF_INET, SOCK_DGRAM, 0); ioctl(S, 0x8946, pack("a16 P", "eth0", pack("LL", 0x17, ${value}))) or die $!'`;
const pidOf = ({ host }: FaultContext, container: string): Promise<string> =>
  host.docker('inspect', '-f', '{{.State.Pid}}', container);

export const dropFaults: readonly Fault[] = [
  {
    name: 'a program that does not read its datagrams',
    make: async (context) => {
      const { host, addressOf, inside } = context;
      await host.sh(
        `nsenter --net=/proc/${await pidOf(context, 'web')}/ns/net ${deafServer(5353)} >/dev/null 2>&1 & echo $! > /run/deaf.pid`,
      );
      await inside('web', `sh -c '${bound('udp', 5353)}'`);
      const send = `socket(S, PF_INET, SOCK_DGRAM, 0); send(S, "x", 0, sockaddr_in(5353, inet_aton("${await addressOf('web')}"))) for 1..50`;
      await inside('app', `perl -MSocket -e '${send}'`);
    },
    trace: () => ['app', 'web:5353/udp'],
    cause: 'receive-buffer-full',
    sentence:
      /^Dropped at web, eth0: the receive buffer of perl in web is full, because it reads more slowly than packets arrive \(SOCKET_RCVBUFF\)\.$/,
    fix: /^find out why perl in web is busy or stopped$/,
    repair: ({ host }) => host.sh('kill $(cat /run/deaf.pid)'),
    traceAfter: toWeb,
  },
  {
    name: 'a rule at netdev ingress, which nft does not trace',
    make: async ({ host, outerLinkOf }) =>
      host.sh(
        `nft "add table netdev guard; add chain netdev guard in { type filter hook ingress device \\"${await outerLinkOf('app')}\\" priority 0; }; add rule netdev guard in tcp dport 80 drop"`,
      ),
    trace: toWeb,
    cause: 'dropped-by-netfilter',
    sentence: /^Dropped at server1, \S+: netfilter dropped it, by a rule that nft does not trace \(NETFILTER_DROP\)\.$/,
    fix: /^nft list ruleset netdev; iptables-legacy -S$/,
    repair: ({ host }) => host.sh('nft delete table netdev guard'),
  },
  {
    name: 'a rule that breaks the checksum',
    make: async ({ host, inside, outerLinkOf }) => {
      await inside('app', setChecksums(0));
      await host.sh(
        `nft "add table netdev mangler; add chain netdev mangler in { type filter hook ingress device \\"${await outerLinkOf('app')}\\" priority 0; }; add rule netdev mangler in tcp dport 80 @th,128,16 set 0x1234"`,
      );
    },
    trace: toWeb,
    cause: 'wrong-checksum',
    sentence: /^Dropped at web, eth0: its TCP checksum is wrong: something on the way changes packets \(TCP_CSUM\)\.$/,
    fix: /^look for rules that write into packets;/,
    repair: ({ host }) => host.sh('nft delete table netdev mangler'),
    clean: ({ inside }) => inside('app', setChecksums(1)),
  },
];
