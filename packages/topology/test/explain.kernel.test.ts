/** The script of a namespace of another program, executed on an empty host, creates the same links, addresses and routes. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { before, test } from 'node:test';
import { isNetyardError } from '@netyard/core';
import { inFreshHost, sh } from '@netyard/testkit';
import { explainNamed, type HostTopology, observeHost, printExplanation } from '@netyard/topology';

const host = inFreshHost(import.meta.url);

before(() => {
  if (host.skip) return;
  sh(`ip netns add web; ip netns add other
    ip link add br9 mtu 1400 type bridge; ip address add 10.1.0.1/24 dev br9; ip address add fd00::1/64 dev br9 nodad
    ip link set br9 up alias 'of another program'
    ip link add v-web mtu 1400 type veth peer name eth0 mtu 1400 address 02:00:00:00:00:02 netns web
    ip link set v-web master br9 up; bridge link set dev v-web hairpin on isolated on
    ip link add cali1 type veth peer name eth1 netns web; ip link set cali1 up
    ip -n web link add v2 type veth peer name eth0 netns other
    for link in lo eth0 eth1 v2; do ip -n web link set $link up; done; ip -n other link set eth0 up
    ip -n web address add 10.1.0.2/24 dev eth0; ip -n web address add fd00::2/64 dev eth0 nodad
    ip -n web address add 10.5.0.2/32 dev eth1; ip route add 10.5.0.2 dev cali1
    ip -n web address add 10.6.0.1/24 dev v2; ip -n other address add 10.6.0.2/24 dev eth0
    ip -n web route add 169.254.1.1 dev eth1; ip -n web route add 10.7.0.0/16 via 169.254.1.1 dev eth1
    ip -n web route add default via 10.1.0.1; ip -n web -6 route add default via fd00::1
    ip -n web route add 10.8.0.0/16 nexthop via 10.1.0.1 nexthop via 10.1.0.9
    ip -n web route add blackhole 10.9.0.0/16; ip -n web route add 10.4.0.0/16 via 10.1.0.1 table 100 proto 77
    ip -n web rule add from 10.1.0.2 fwmark 0x5 lookup 100 priority 100
    ip -n web neighbour add 10.1.0.77 lladdr 02:00:00:00:00:77 dev eth0 nud permanent
    ip netns exec web sysctl -qw net.ipv4.ip_forward=1`);
});

/** What the script is to create, without what the kernel chooses: indexes, and MAC addresses but that of eth0. */
const dump = (): string =>
  sh(`for ns in web other; do ip -n $ns -o address show scope global; ip -n $ns route show table all; ip -n $ns -6 route show table main
      ip -n $ns rule; ip -n $ns neighbour show nud permanent; ip -n $ns -o link; done
    ip netns exec web sysctl net.ipv4.ip_forward; ip -n web -o link show eth0 | grep -o 'ether [0-9a-f:]*'
    ip -o address show scope global; ip route; ip -o link; bridge -d link show dev v-web | grep -o 'hairpin [a-z]*\\|isolated [a-z]*'`)
    .replace(/^\d+: /gm, '')
    .replace(/@if\d+|@\w+/g, '')
    .replace(/link\/ether [0-9a-f:]+/g, '')
    .replace(/link-net[a-z-]* \w+/g, '')
    .replace(/^.*fe80.*\n/gm, '')
    .replace(/ qlen \d+| linkdown/g, '')
    .split('\n')
    .sort()
    .join('\n');

test('the script creates the same again, and applies to nothing else', host, async () => {
  const observed = await observeHost({ env: {} });
  const explanation = explainNamed(observed, 'web');
  assert.ok(explanation);
  const script = printExplanation(explanation);
  const original = dump();
  sh(
    'ip netns delete web; ip netns delete other; ip link delete br9; ip link delete v-web || true; ip link delete cali1 || true',
  );
  execFileSync('sh', ['-e'], { input: script, stdio: ['pipe', 'ignore', 'inherit'] });
  assert.equal(dump(), original, script);
  assert.match(script, /^# namespace web, as observed on /m);
  assert.deepEqual(explanation.notes, []);
});

test('bridges that a pair joins to the one of a container or a network are created with it', host, async () => {
  sh(`ip netns add far; ip link add near0 type bridge; ip address add 10.20.0.1/24 dev near0; ip link set near0 up
    ip link add seg0 type bridge; ip link set seg0 up alias 'more ports'; ip link add t0 type veth peer name t1
    ip link set t0 alias trunk; ip link set t0 master near0 up; ip link set t1 master seg0 up
    ip link add v-far type veth peer name eth0 netns far; ip link set v-far master seg0 up
    ip -n far link set eth0 up; ip -n far address add 10.20.0.2/24 dev eth0`);
  const observed = await observeHost({ env: {} });
  const links = (): string =>
    sh(`ip -br link show type bridge | awk '{ print $1 }'; bridge link | sed -E 's/.* (\\S+)@.* (master \\S+ state \\S+).*/\\1 \\2/'
      ip -o link show t0 | grep -o 'alias.*'; ip netns exec far ping -c 1 -W 5 10.20.0.1 | grep -o '1 received'`)
      .split('\n')
      .filter((line) => /seg0|near0|alias|received/.test(line))
      .sort()
      .join('\n');
  const original = links();
  assert.match(original, /1 received/);
  const remove = (): string => sh('ip netns delete far; ip link delete near0; ip link delete seg0; ip link delete t0');
  remove();
  const script = printExplanation(explainNamed(observed, 'far') ?? assert.fail());
  execFileSync('sh', ['-e'], { input: script, stdio: ['pipe', 'ignore', 'inherit'] });
  assert.equal(links(), original, script);
  remove();
  const network = { engine: 'docker', id: 'a'.repeat(64), name: 'joined', driver: 'bridge', link: 'near0' } as const;
  const rest = { subnets: [], internal: false, icc: true, options: {} };
  const whole = { ...observed, networks: [{ ...network, ...rest }] };
  const ofNetwork = printExplanation(explainNamed(whole, 'joined') ?? assert.fail());
  execFileSync('sh', ['-e'], { input: ofNetwork, stdio: ['pipe', 'ignore', 'inherit'] });
  assert.match(sh('bridge link'), /t1@t0.* master seg0 state forwarding/, ofNetwork);
});

test('what has no commands is named, and what cannot be explained is an error', host, async () => {
  sh(
    'ip link add br0 type bridge; ip netns add inner; ip -n inner link add br1 type bridge; ip -n inner link add p0 type veth peer name p1',
  );
  sh('ip -n inner link set p0 master br1; ip -n inner link add ifb7 type ifb || ip -n inner tuntap add tun7 mode tun');
  const observed = await observeHost({ env: {} });
  const notes = explainNamed(observed, 'inner')?.notes ?? [];
  assert.ok(
    notes.some((note) => /^(ifb7|tun7) is not included: interfaces of kind \w+ are not supported$/.test(note)),
    notes.join(),
  );
  assert.ok(notes.includes('p0 is not included: it is a port of a bridge inside of the namespace'), notes.join());
  assert.equal(explainNamed(observed, 'missing'), undefined);
  assert.throws(
    () => explainNamed(observed, 'host'),
    (error) => isNetyardError(error, 'conflict') && /uses the network of the host itself/.test(error.message),
  );
  const twice: HostTopology = {
    ...observed,
    containers: observed.containers.flatMap((each) => [each, { ...each, engine: 'podman' }]),
  };
  assert.throws(() => explainNamed(twice, 'inner'), /inner is ambiguous: namespace\/inner, podman\/inner/);
});
