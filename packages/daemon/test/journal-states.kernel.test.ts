/** The commands between two observed states lead a real network from the one to the other, and back. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { diffStates, itemsOfHost, type StateItem } from '@netyard/journal';
import { describeObject, identityOf, observeNetworkState, parseElements, printCommands } from '@netyard/kernel';
import { inFreshHost, sh } from '@netyard/testkit';

const host = inFreshHost(import.meta.url);
const printer = { describe: describeObject, printCommands, identify: identityOf, parseElements };
const observe = async (): Promise<StateItem[]> => [...itemsOfHost(await observeNetworkState(), new Set(), printer)];

/** Without an address of its own, br0 would take that of a port, and the kernel would delete its neighbours. */
const base = `ip link set lo up; ip link add br0 address 02:00:00:00:00:01 type bridge; ip link set br0 up alias owner
ip address add 10.1.0.1/24 broadcast 10.1.0.255 dev br0; ip address add fd00:1::1/64 dev br0 nodad
ip link add x0 type vxlan id 7 dstport 4789 nolearning; ip link set x0 master br0 up
ip link add br1 type bridge; ip link set br1 up; ip link add t0 type veth peer name t1; ip link set t0 alias trunk
ip link set t0 master br0 up; ip link set t1 master br1 up
ip route add 10.2.0.0/16 via 10.1.0.2; ip route add blackhole 10.3.0.0/16; ip -6 route add fd00:2::/64 via fd00:1::2
ip rule add priority 100 from 10.9.0.0/16 fwmark 0x1/0xff lookup 7; ip route add default via 10.1.0.9 table 7
ip neighbour add 10.1.0.7 lladdr 02:00:00:00:00:07 dev br0
nft add table ip f; nft 'add chain ip f forward { type filter hook forward priority 5; policy accept; }'
nft add chain ip f other; nft 'add set ip f s { type ipv4_addr; flags interval; elements = { 1.1.1.0/24, 2.2.2.2 } }'
nft 'add map ip f m { type inet_service : ipv4_addr; elements = { 80 : 10.1.0.2 } }'
nft add rule ip f forward ip saddr @s counter drop; nft add rule ip f forward tcp dport 22 accept
nft add rule ip f forward jump other; nft 'add rule ip f other ip daddr 10.1.0.3 drop comment "it'"'"'s one"'`;

/** What another program may have done, in a shell line. */
const changes: Readonly<Record<string, string>> = {
  'a route is removed': 'ip route del 10.2.0.0/16',
  'the route to a subnet is removed': 'ip route del 10.1.0.0/24 dev br0',
  'an address changes': 'ip address del 10.1.0.1/24 dev br0; ip address add 10.1.0.3/24 dev br0',
  'the rules of a chain are flushed': 'nft flush chain ip f forward',
  'a rule in the middle is deleted and another inserted':
    'nft delete rule ip f forward handle $(nft -a list chain ip f forward | sed -n "s/.*dport 22.*handle //p"); nft insert rule ip f forward udp dport 53 accept',
  'a policy changes': "nft chain ip f forward '{ policy drop; }'",
  'elements change':
    'nft delete element ip f s { 2.2.2.2 }; nft add element ip f s { 3.3.3.0/30 }; nft add element ip f m { 81 : 10.1.0.3 }',
  'a table is deleted': 'nft delete table ip f',
  'a table is added': 'nft add table inet g; nft add chain inet g c; nft add rule inet g c accept',
  'an interface is deleted': 'ip link del x0',
  'a bridge with its addresses is deleted': 'ip link del br0',
  'an interface is set down, with another MTU': 'ip link set br0 mtu 1400 down',
  'an interface leaves its bridge': 'ip link set x0 nomaster',
  'a pair between two bridges is deleted': 'ip link del t1',
  'a pair between two bridges leaves one and is down': 'ip link set t1 nomaster down',
  'a pair between two bridges has other MTUs': 'ip link set t0 mtu 1400; ip link set t1 mtu 1300',
  'one of two bridges that a pair joins is deleted': 'ip link del br1; ip link del t0',
  'rules of policy routing change': 'ip rule del priority 100; ip rule add priority 200 to 10.8.0.0/16 lookup 9',
  'a neighbour changes': 'ip neighbour replace 10.1.0.7 lladdr 02:00:00:00:00:08 dev br0 nud permanent',
  'forwarding is switched': 'sysctl -qw net.ipv4.ip_forward=$((1 - $(sysctl -n net.ipv4.ip_forward)))',
  'a route to nowhere is added, and one with two next hops':
    'ip route add unreachable 10.4.0.0/16; ip route add 10.5.0.0/16 nexthop via 10.1.0.4 nexthop via 10.1.0.5',
};

/** Without handles, which new rules have anew. */
const comparable = (items: readonly StateItem[]): string[] =>
  items
    .map(({ key, create, rules }) => `${key}: ${create.join('; ')} ${rules?.map(([text]) => text).join('; ') ?? ''}`)
    .sort();

describe('the difference of two states', host, () => {
  for (const [title, line] of Object.entries(changes)) {
    test(title, host, async () => {
      sh(base);
      const before = await observe();
      sh(line);
      const after = await observe();
      const back = await diffStates(after, before);
      assert.ok(back.length > 0);
      sh(back.join('\n'));
      const restored = await observe();
      assert.deepEqual(comparable(restored), comparable(before), back.join('\n'));
      assert.deepEqual(await diffStates(restored, before), []);
      const forth = await diffStates(restored, after);
      sh(forth.join('\n'));
      assert.deepEqual(comparable(await observe()), comparable(after), forth.join('\n'));
      sh(
        'nft flush ruleset; ip link del x0 2> /dev/null; ip link del t0 2> /dev/null; ip link del br0 2> /dev/null; ip link del br1 2> /dev/null; ip route flush table 7; ip route flush all; ip rule flush; ip rule add priority 32766 lookup main',
      );
    });
  }
});
