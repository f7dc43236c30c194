import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checks } from './checks.ts';
import { renderFindings } from './finding.ts';
import type { Host } from './host.ts';

const listing = `table ip filter {
	chain FORWARD {
		type filter hook forward priority filter; policy drop;
	}
	chain INPUT {
		type filter hook input priority filter; policy drop;
	}
}
table inet netyard {
	chain forward {
		type filter hook forward priority filter; policy drop;
	}
}
`;

/** A host of files and programs that are told. */
function fakeHost(files: Record<string, string>, programs: Record<string, string>): Host {
  return {
    read: (path) => files[path],
    exists: (path) => path in files,
    list: () => [],
    find: (program) => (program in programs ? `/bin/${program}` : undefined),
    output: async (program, ...args) => programs[[program, ...args].join(' ')] ?? programs[program],
    isRoot: true,
  };
}

const examine = async (host: Host) => (await Promise.all(checks.map((check) => check(host)))).flat();
const severities = async (host: Host, severity: string): Promise<string[]> =>
  (await examine(host)).filter((finding) => finding.severity === severity).map(({ check }) => check);

test('an empty host lacks everything, and each lack has a cure', async () => {
  const empty = fakeHost({}, {});
  assert.deepEqual(await severities(empty, 'broken'), ['containerd', 'runtime', 'libnftables', 'overlayfs', 'cgroups']);
  for (const { severity, cure, check } of await examine(empty))
    assert.equal(cure === undefined, severity === 'ok', check);
});

const healthy = {
  '/proc/sys/net/ipv4/ip_forward': '1',
  '/proc/filesystems': 'nodev\toverlay',
  '/usr/lib/libnftables.so.1': '',
  '/usr/lib/libpcap.so.1': '',
  '/sys/module/veth': '',
  '/sys/module/bridge': '',
  '/sys/module/nf_tables': '',
  '/proc/self/mounts': 'cgroup2 /sys/fs/cgroup cgroup2 rw 0 0',
  '/sys/fs/cgroup/cgroup.controllers': 'cpu memory pids',
  '/dev/net/tun': '',
};
const programs = {
  containerd: 'containerd github.com/containerd/containerd 1.7.0 abc',
  'containerd-shim-runc-v2': '',
  crun: 'crun version 1.8.1',
  tcpdump: '',
  nft: '',
};

test('a healthy host', async () => {
  const host = fakeHost(healthy, programs);
  assert.deepEqual([await severities(host, 'broken'), await severities(host, 'warning')], [[], []]);
  assert.match(renderFindings(await examine(host)), /All is well\.\n$/);
});

test('what only captures need is missing', async () => {
  const { tcpdump: _tcpdump, ...others } = programs;
  const { '/usr/lib/libpcap.so.1': _libpcap, ...files } = healthy;
  const host = fakeHost(files, others);
  assert.deepEqual([await severities(host, 'broken'), await severities(host, 'warning')], [[], ['libpcap', 'tcpdump']]);
});

test('a forward chain that cuts the bridge off is named, until it accepts; ours is not meant', async () => {
  const list = 'nft -s -t list ruleset';
  const finding = async (rules: string, files: Record<string, string> = {}) => {
    const host = fakeHost({ ...healthy, ...files }, { ...programs, [list]: rules });
    const known = { ...host, list: (path: string) => (path === '/sys/class/net' ? ['lo', 'ny0'] : []) };
    return (await examine(known)).find(({ check }) => check === 'forward policy');
  };
  const dropped = await finding(listing);
  assert.equal(dropped?.severity, 'warning');
  assert.match(dropped.message, /^ip filter FORWARD drops what docker0 forwards \(policy drop\): /);
  assert.match(dropped.cure ?? '', /--foreign-firewall/);
  const accepts = (bridge: string): string =>
    listing.replace(
      'policy drop;\n',
      `policy drop;\n\t\tiifname "${bridge}" accept comment "netyard: from ${bridge}"\n\t\toifname "${bridge}" accept\n`,
    );
  assert.equal((await finding(accepts('docker0')))?.severity, 'ok');
  const alias = { '/sys/class/net/ny0/ifalias': 'netyard: network bridge' };
  assert.equal((await finding(accepts('ny0'), alias))?.severity, 'ok');
  assert.match((await finding(accepts('docker0'), alias))?.message ?? '', /drops what ny0 forwards/);
});

test('iptables-legacy has rules of its own', async () => {
  const legacy = async (rules: string) => {
    const files = { ...healthy, '/proc/net/ip_tables_names': 'nat\nfilter' };
    const host = fakeHost(files, { ...programs, 'iptables-legacy -S FORWARD': rules });
    return (await examine(host)).find(({ check }) => check === 'forward policy');
  };
  const dropped = await legacy('-P FORWARD DROP');
  assert.match(dropped?.message ?? '', /^iptables-legacy FORWARD: policy drop/);
  assert.match(dropped?.cure ?? '', /iptables-legacy -I FORWARD -i docker0 -j ACCEPT/);
  const accepted = '-P FORWARD DROP\n-A FORWARD -i docker0 -j ACCEPT\n-A FORWARD -o docker0 -j ACCEPT';
  assert.equal((await legacy(accepted))?.severity, 'ok');
  const asked: string[] = [];
  const unused = fakeHost(healthy, programs);
  await examine({
    ...unused,
    output: async (program, ...args) => {
      asked.push(program);
      return await unused.output(program, ...args);
    },
  });
  assert.ok(asked.includes('nft') && !asked.includes('iptables-legacy'), 'asking would create the table');
});

test('dockerd beside, firewalls, and bridged packets seen by iptables', async () => {
  const host = fakeHost(
    { ...healthy, '/proc/sys/net/bridge/bridge-nf-call-iptables': '1', '/proc/sys/net/ipv4/ip_forward': '0' },
    {
      ...programs,
      'nft -s -t list ruleset': listing,
      'ufw status': 'Status: active',
      'firewall-cmd --state': 'running',
    },
  );
  const warned = await severities(host, 'warning');
  assert.deepEqual(warned, ['ip_forward', 'forward policy', 'br_netfilter', 'ufw', 'firewalld']);
});
