/** The checks of `doctor`. Each returns findings; none changes anything. */
import { type Finding, install } from './finding.ts';
import type { Host } from './host.ts';

export type Check = (host: Host) => Promise<Finding[]> | Finding[];

const ok = (id: string, text: string): Finding => ({ id, grade: 'ok', text });
const warning = (id: string, text: string, fix: string): Finding => ({ id, grade: 'warning', text, fix });
const broken = (id: string, text: string, fix: string): Finding => ({ id, grade: 'broken', text, fix });

const user: Check = (host) => [
  host.isRoot
    ? ok('user', 'root')
    : warning('user', 'not root: firewall rules and some settings are unreadable', 'run `sudo netyard doctor`'),
];

const containerd: Check = async (host) => {
  if (host.find('containerd') === undefined && !host.exists('/run/containerd/containerd.sock')) {
    return [broken('containerd', 'not installed', install('containerd'))];
  }
  const version = await host.output('containerd', '--version');
  const shim = host.find('containerd-shim-runc-v2');
  if (shim === undefined) return [broken('containerd', 'containerd-shim-runc-v2 is missing', install('containerd'))];
  return [ok('containerd', version?.split(' ')[2] ?? 'running')];
};

const runtime: Check = async (host) => {
  const found = ['crun', 'runc'].filter((name) => host.find(name) !== undefined);
  if (found.length === 0) return [broken('runtime', 'neither crun nor runc is installed', install('crun'))];
  const works = (await Promise.all(found.map(async (name) => [name, await host.output(name, '--version')] as const)))
    .filter(([, version]) => version !== undefined)
    .map(([name, version]) => `${name} ${/version\s+(\S+)/.exec(version ?? '')?.[1] ?? ''}`.trim());
  if (works.length === 0)
    return [broken('runtime', `${found.join(' and ')} cannot be executed`, `reinstall ${found[0]}`)];
  return [ok('runtime', works.join(', '))];
};

const libraryFolders = [
  '/usr/lib',
  '/usr/lib64',
  '/lib',
  '/lib64',
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib/aarch64-linux-gnu',
];

/** The first of these files that the dynamic loader finds. */
async function findLibrary(host: Host, ...files: readonly string[]): Promise<string | undefined> {
  const cache = (await host.output('ldconfig', '-p')) ?? '';
  return files.find(
    (file) => cache.includes(file) || libraryFolders.some((folder) => host.exists(`${folder}/${file}`)),
  );
}

const libnftables: Check = async (host) => {
  const found = await findLibrary(host, 'libnftables.so.1');
  if (found !== undefined) return [ok('libnftables', found)];
  return [
    broken(
      'libnftables',
      'libnftables.so.1 is missing: published ports and masquerading do not work',
      install('libnftables1', 'nftables-libs'),
    ),
  ];
};

/** Required by `capture` only. */
const captureTools: Check = async (host) => {
  const library = await findLibrary(host, 'libpcap.so.0.8', 'libpcap.so.1');
  const tcpdump = host.find('tcpdump');
  return [
    library === undefined
      ? warning('libpcap', 'libpcap is missing: netyard capture does not work', install('libpcap0.8', 'libpcap'))
      : ok('libpcap', library),
    tcpdump === undefined
      ? warning('tcpdump', 'tcpdump is missing: netyard capture works with -w only', install('tcpdump'))
      : ok('tcpdump', tcpdump),
  ];
};

const forwarding: Check = (host) => {
  const value = host.read('/proc/sys/net/ipv4/ip_forward');
  if (value === '1') return [ok('ip_forward', 'net.ipv4.ip_forward = 1')];
  return [
    warning(
      'ip_forward',
      'net.ipv4.ip_forward = 0: containers cannot reach other hosts',
      'start the daemon without --ip-forward=false, or run `sysctl -w net.ipv4.ip_forward=1`',
    ),
  ];
};

/**
 * Linux ignores router advertisements on links that forward, unless accept_ra is 2 (Documentation/networking/ip-sysctl.rst).
 * The daemon sets it on the uplinks that it finds when it enables forwarding; here are those that appeared later.
 */
const routerAdvertisements: Check = (host) => {
  const ignoring = host.list('/sys/class/net').filter((link) => {
    const setting = (name: string): string | undefined => host.read(`/proc/sys/net/ipv6/conf/${link}/${name}`);
    const isUplink = host.exists(`/sys/class/net/${link}/device`) && !host.exists(`/sys/class/net/${link}/master`);
    return isUplink && setting('forwarding') === '1' && setting('accept_ra') === '1' && setting('disable_ipv6') === '0';
  });
  return ignoring.map((link) => ({
    ...{ id: 'router advertisements', grade: 'info' },
    text: `${link} ignores router advertisements, because it forwards IPv6 and its accept_ra is 1`,
    fix: `if its address or route comes from a router, run \`sysctl -w net.ipv6.conf.${link.replaceAll('.', '/')}.accept_ra=2\``,
  }));
};

const overlay: Check = (host) => {
  const known = host
    .read('/proc/filesystems')
    ?.split('\n')
    .some((line) => line.trim().endsWith('overlay'));
  const module = kernelModule(host, 'overlay');
  if (known || module) return [ok('overlayfs', known ? 'in the kernel' : 'as a module')];
  return [
    broken(
      'overlayfs',
      'the kernel does not support overlayfs: containers cannot start',
      'run `modprobe overlay`, or use a kernel with CONFIG_OVERLAY_FS',
    ),
  ];
};

/** Loaded, built in, or available as a module. */
function kernelModule(host: Host, name: string): boolean {
  const release = host.read('/proc/sys/kernel/osrelease') ?? '';
  if (host.exists(`/sys/module/${name}`)) return true;
  return ['modules.builtin', 'modules.dep'].some((file) =>
    (host.read(`/lib/modules/${release}/${file}`) ?? '').includes(`/${name}.ko`),
  );
}

const kernelFeatures: Check = (host) => {
  const features: [string, string, string][] = [
    ['veth', 'veth', 'CONFIG_VETH'],
    ['bridge', 'bridge', 'CONFIG_BRIDGE'],
    ['nf_tables', 'nf_tables', 'CONFIG_NF_TABLES'],
  ];
  const config = kernelConfig(host);
  const listing = host.list(`/lib/modules/${host.read('/proc/sys/kernel/osrelease') ?? ''}`);
  return features.map(([check, module, option]) => {
    if (kernelModule(host, module) || new RegExp(`^${option}=[ym]`, 'm').test(config))
      return ok(check, 'in the kernel');
    if (config === '' && listing.length === 0)
      return ok(check, 'unknown: this kernel does not expose its configuration');
    return broken(
      check,
      `the kernel does not support ${check}`,
      `run \`modprobe ${module}\`, or use a kernel with ${option}`,
    );
  });
};

/** The kernel's configuration; '' if it is not readable. */
function kernelConfig(host: Host): string {
  return host.read(`/boot/config-${host.read('/proc/sys/kernel/osrelease') ?? ''}`) ?? '';
}

const cgroups: Check = (host) => {
  const mounts = host.read('/proc/self/mounts') ?? '';
  const v2 = /^\S+ \/sys\/fs\/cgroup cgroup2 /m.test(mounts);
  const v1 = / \/sys\/fs\/cgroup\/\S+ cgroup /.test(mounts);
  const hybrid = v1 && / \/sys\/fs\/cgroup\/unified cgroup2 /.test(mounts);
  if (v2) return cgroup2(host);
  if (!v1)
    return [broken('cgroups', 'not mounted: containers cannot start', 'run `mount -t cgroup2 none /sys/fs/cgroup`')];
  if (hybrid && host.find('runc') === undefined) {
    return [
      warning(
        'cgroups',
        'version 1, hybrid: some versions of crun do not support it',
        `${install('runc')}, or boot with systemd.unified_cgroup_hierarchy=1`,
      ),
    ];
  }
  return [ok('cgroups', hybrid ? 'version 1, hybrid' : 'version 1')];
};

function cgroup2(host: Host): Finding[] {
  const controllers = (host.read('/sys/fs/cgroup/cgroup.controllers') ?? '').split(' ');
  const missing = ['cpu', 'memory', 'pids'].filter((name) => !controllers.includes(name));
  if (missing.length === 0) return [ok('cgroups', 'version 2')];
  return [
    warning(
      'cgroups',
      `version 2 without ${missing.join(', ')}: these limits have no effect`,
      'boot with cgroup_enable=memory, or enable them in the parent cgroup',
    ),
  ];
}

/** With br_netfilter, iptables rules for routed traffic also apply between containers on one bridge. */
const bridgeNetfilter: Check = (host) => {
  const value = host.read('/proc/sys/net/bridge/bridge-nf-call-iptables');
  if (value !== '1') return [ok('br_netfilter', value === undefined ? 'not loaded' : 'off')];
  return [
    warning(
      'br_netfilter',
      'bridge-nf-call-iptables = 1: iptables rules also apply to packets between containers on one bridge',
      'run `sysctl -w net.bridge.bridge-nf-call-iptables=0`, unless Kubernetes needs it',
    ),
  ];
};

/** A packet must pass every base chain: a forward chain of another program that drops disconnects containers. */
const forwardPolicy: Check = async (host) => {
  const blocks = await host.forwardBlocks(ownBridges(host));
  if (typeof blocks === 'string')
    return [warning('forward policy', `unknown: the rules cannot be read (${blocks})`, 'run `sudo netyard doctor`')];
  if (blocks.length === 0) return [ok('forward policy', 'no chain drops forwarded packets of containers')];
  return blocks.map(({ text, fix }) =>
    warning('forward policy', `${text}: published ports and outgoing traffic may not work`, fix),
  );
};

/** Bridges with the alias that Netyard sets; before its first start, the default bridge. */
function ownBridges(host: Host): string[] {
  const names = host.list('/sys/class/net');
  const own = names.filter((name) => host.read(`/sys/class/net/${name}/ifalias`)?.startsWith('netyard: network '));
  return own.length === 0 ? ['docker0'] : own;
}

const otherFirewalls: Check = async (host) => {
  const ufw = (await host.output('ufw', 'status'))?.startsWith('Status: active') ?? false;
  const firewalld = (await host.output('firewall-cmd', '--state')) === 'running';
  return [
    ufw
      ? warning(
          'ufw',
          'active: its forward policy may drop packets to published ports',
          'use `ufw route allow`, or set DEFAULT_FORWARD_POLICY="ACCEPT" in /etc/default/ufw',
        )
      : ok('ufw', 'not active'),
    firewalld
      ? warning(
          'firewalld',
          'running: it may drop packets of a bridge without a zone',
          'run `firewall-cmd --permanent --zone=trusted --add-interface=docker0 && firewall-cmd --reload`',
        )
      : ok('firewalld', 'not running'),
  ];
};

const tun: Check = (host) => [
  host.exists('/dev/net/tun')
    ? ok('tun', '/dev/net/tun')
    : warning('tun', '/dev/net/tun is missing: VPN programs in containers do not work', 'run `modprobe tun`'),
];

export const checks: readonly Check[] = [
  user,
  containerd,
  runtime,
  libnftables,
  overlay,
  kernelFeatures,
  cgroups,
  forwarding,
  routerAdvertisements,
  forwardPolicy,
  bridgeNetfilter,
  otherFirewalls,
  tun,
  captureTools,
];
