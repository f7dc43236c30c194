import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allCapabilities, isNetyardError } from '@netyard/core';
import type { SeccompCondition, SeccompProfile, SeccompProfileRule, TaskSpec } from '@netyard/engine';
import { planSeccomp } from '../seccomp/plan.ts';
import { allowedSyscalls } from '../seccomp/syscalls.ts';
import { defaultCapabilities, parseCapabilityMask, planCapabilities } from './capabilities.ts';
import { planLimits } from './limits.ts';
import { planMounts } from './mounts.ts';
import { type HostFacts, planSpec } from './plan.ts';
import { resolveUser } from './user.ts';

const facts: HostFacts = {
  available: allCapabilities.filter((name) => name !== 'CAP_SYS_RESOURCE'),
  architecture: 'x64',
  kernel: '6.12.3-amd64',
  initPath: '/usr/bin/tini-static',
  devices: [],
  cgroups: { version: '1', countsSwap: true },
  oomScoreAdj: 0,
  thermalPaths: ['/sys/devices/system/cpu/cpu0/thermal_throttle'],
};
const root = { uid: 0, gid: 0, additionalGids: [0], home: '/root' };

const task = (more: Partial<TaskSpec> = {}): TaskSpec => ({
  ...{ id: 'c1', rootPath: '/r', readOnlyRoot: false, args: ['nginx'], env: ['PATH=/bin'], workingDirectory: '' },
  ...{ user: '', groupAdd: [], tty: false, hostname: 'h', domainname: '', mounts: [], shmSize: 0 },
  ...{ netnsPath: '/run/netns/ny', pidNamespace: 'private', ipcNamespace: 'private', utsNamespace: 'private' },
  ...{ cgroupNamespace: 'private', init: false, privileged: false, capAdd: [], capDrop: [], noNewPrivileges: false },
  ...{ seccomp: undefined, devices: [], sysctls: {}, ulimits: [], oomScoreAdj: 0, resources: {} },
  ...{ cgroupPath: '/netyard/c1', annotations: {}, labels: {}, runtimeName: '' },
  stdio: { stdin: '', stdout: '', stderr: '' },
  ...more,
});

test('the default capabilities are the mask a80425fb', () => {
  assert.deepEqual(parseCapabilityMask('00000000a80425fb').sort(), [...defaultCapabilities].sort());
  assert.deepEqual(planSpec(task(), facts, root).process.capabilities.bounding.sort(), [...defaultCapabilities].sort());
});

test('--cap-add and --cap-drop combine as in Docker', () => {
  const plan = (add: string[], drop: string[], privileged = false) =>
    planCapabilities({ add, drop, privileged }, facts.available);
  assert.ok(plan(['net_admin'], []).includes('CAP_NET_ADMIN'));
  assert.ok(!plan([], ['CAP_CHOWN']).includes('CAP_CHOWN'));
  assert.deepEqual(plan([], ['ALL']), []);
  assert.deepEqual(plan(['chown'], ['all']), ['CAP_CHOWN']);
  assert.ok(!plan(['ALL'], ['SYS_ADMIN']).includes('CAP_SYS_ADMIN'));
  assert.ok(!plan([], [], true).includes('CAP_SYS_RESOURCE'), 'capabilities that this process lacks are not granted');
  assert.throws(
    () => plan(['fly'], []),
    (error) => isNetyardError(error, 'invalid') && /unknown capability: "CAP_FLY"/.test(error.message),
  );
});

test('another user has capabilities in the bounding set only', () => {
  const { capabilities } = planSpec(task({ user: 'www' }), facts, { ...root, uid: 33 }).process;
  assert.deepEqual(capabilities.effective, []);
  assert.equal(capabilities.bounding.length, defaultCapabilities.length);
});

test('namespaces are joined, private, or the host’s', () => {
  const types = (spec: TaskSpec) => planSpec(spec, facts, root).linux.namespaces.map((one) => one.type);
  assert.deepEqual(types(task()), ['mount', 'network', 'uts', 'pid', 'ipc', 'cgroup']);
  assert.deepEqual(types(task({ netnsPath: undefined, pidNamespace: 'host', ipcNamespace: 'host' })), [
    'mount',
    'uts',
    'cgroup',
  ]);
  const joined = planSpec(task({ pidNamespace: { path: '/proc/9/ns/pid' } }), facts, root).linux.namespaces;
  assert.deepEqual(
    joined.find((one) => one.type === 'pid'),
    { type: 'pid', path: '/proc/9/ns/pid' },
  );
});

test('/dev/shm and /dev/mqueue are those of the IPC namespace', () => {
  const ipcMounts = (ipcNamespace: TaskSpec['ipcNamespace']): [string, string][] =>
    planMounts(task({ ipcNamespace }), '')
      .filter(({ destination }) => ['/dev/shm', '/dev/mqueue'].includes(destination))
      .map(({ destination, type }) => [destination, type]);
  const mqueue: [string, string] = ['/dev/mqueue', 'mqueue']; // the host may have mounted none
  assert.deepEqual(ipcMounts('private'), [mqueue, ['/dev/shm', 'tmpfs']]);
  assert.deepEqual(ipcMounts('host'), [mqueue, ['/dev/shm', 'bind']]);
  assert.deepEqual(ipcMounts('none'), [mqueue]);
});

test('a requested mount replaces a default one, and directories are mounted before their content', () => {
  const spec = task({
    init: true,
    mounts: [
      { type: 'bind', source: '/b', target: '/a/b', options: ['rbind'] },
      { type: 'bind', source: '/a', target: '/a', options: ['rbind'] },
      { type: 'tmpfs', source: 'tmpfs', target: '/dev/shm', options: ['size=1m'] },
    ],
  });
  const { mounts, process } = planSpec(spec, facts, root);
  const targets = mounts.map((mount) => mount.destination);
  assert.ok(targets.indexOf('/a') < targets.indexOf('/a/b'));
  assert.equal(targets.filter((target) => target === '/dev/shm').length, 1);
  assert.deepEqual(process.args, ['/sbin/docker-init', '--', 'nginx']);
});

test('privileged: nothing hidden, no filter, all devices', () => {
  const { linux } = planSpec(task({ privileged: true }), facts, root);
  assert.deepEqual(linux.maskedPaths, []);
  assert.equal(linux.seccomp, undefined);
  assert.deepEqual(linux.resources.devices, [{ allow: true, access: 'rwm' }]);
});

test('limits are set only on request; swap is twice the memory as in Docker, if the kernel counts it', () => {
  assert.deepEqual(planLimits({}, facts.cgroups), {});
  assert.deepEqual(planLimits({ memory: 1e8, cpuQuota: 50000, cpuPeriod: 100000, pidsLimit: 9 }, facts.cgroups), {
    memory: { limit: 1e8, swap: 2e8 },
    cpu: { quota: 50000, period: 100000 },
    pids: { limit: 9 },
  });
  assert.deepEqual(planLimits({ memory: 1e8, memorySwap: -1 }, { version: '2', countsSwap: false }), {
    memory: { limit: 1e8 },
  });
});

test('limits of single devices have the numbers of their nodes; swappiness and real-time limits are set', () => {
  const disk = [{ path: '/dev/vda', value: 100 }];
  const requested = { swappiness: 0, cpuRealtimePeriod: 1000, cpuRealtimeRuntime: 900, weightDevices: disk };
  const devices = new Map([['/dev/vda', { major: 254, minor: 0 }]]);
  const limits = planLimits({ ...requested, readBytesPerSecond: disk, writesPerSecond: disk }, facts.cgroups, devices);
  assert.deepEqual(limits, {
    memory: { swappiness: 0 },
    cpu: { realtimePeriod: 1000, realtimeRuntime: 900 },
    blockIO: {
      weightDevice: [{ major: 254, minor: 0, weight: 100 }],
      throttleReadBpsDevice: [{ major: 254, minor: 0, rate: 100 }],
      throttleWriteIOPSDevice: [{ major: 254, minor: 0, rate: 100 }],
    },
  });
});

test('rules of --device-cgroup-rule follow the default ones; a star matches any number', () => {
  const rules = planSpec(task({ deviceRules: ['c 10:200 rwm', 'b *:3 r'] }), facts, root).linux.resources.devices ?? [];
  assert.deepEqual(rules.slice(-2), [
    { allow: true, type: 'c', major: 10, minor: 200, access: 'rwm' },
    { allow: true, type: 'b', minor: 3, access: 'r' },
  ]);
});

test('an AppArmor profile is in the specification if the host has AppArmor', () => {
  const profile = (appArmor: boolean) =>
    planSpec(task({ apparmorProfile: 'web' }), { ...facts, appArmor }, root).process.apparmorProfile;
  assert.deepEqual([profile(true), profile(false)], ['web', undefined]);
});

test('the OOM score is the requested one, not the daemon’s', () => {
  const score = (requested: number, own: number) =>
    planSpec(task({ oomScoreAdj: requested }), { ...facts, oomScoreAdj: own }, root).process.oomScoreAdj;
  assert.equal(score(0, -900), 0);
  assert.equal(score(0, 100), undefined, 'lowering the OOM score needs a privilege');
  assert.equal(score(500, 100), 500);
});

test('a domain name is a setting of its own, not a part of the host name', () => {
  const { hostname, linux } = planSpec(task({ domainname: 'example.org' }), facts, root);
  assert.equal(hostname, 'h');
  assert.equal(linux.sysctl?.['kernel.domainname'], 'example.org');
  const shared = planSpec(task({ domainname: 'example.org', utsNamespace: 'host' }), facts, root);
  assert.deepEqual([shared.hostname, shared.linux.sysctl?.['kernel.domainname']], [undefined, undefined]);
});

test('mounts propagate to and from the host only when a bind requests it', () => {
  const propagation = (...options: string[]) =>
    planSpec(task({ mounts: [{ type: 'bind', source: '/a', target: '/a', options }] }), facts, root).linux
      .rootfsPropagation;
  assert.equal(propagation('rbind', 'rprivate'), undefined);
  assert.equal(propagation('rbind', 'rshared'), 'rshared');
  assert.equal(propagation('rbind', 'rslave'), 'rslave');
});

test('masked paths are Docker’s, or those given', () => {
  const masked = (more: Partial<TaskSpec>) => planSpec(task(more), facts, root).linux.maskedPaths ?? [];
  assert.ok(masked({}).includes('/proc/interrupts') && masked({}).includes(facts.thermalPaths[0] ?? ''));
  assert.deepEqual(masked({ maskedPaths: ['/x'] }), ['/x']);
  assert.deepEqual(masked({ privileged: true }), []);
});

test('users are resolved by name and number, with groups', () => {
  const files = {
    passwd: 'root:x:0:0:root:/root:/bin/sh\nwww:x:33:34::/var/www:/bin/false\n',
    group: 'root:x:0:\nwww:x:34:\nadm:x:4:www,other\n99:x:7:\n',
  };
  assert.deepEqual(resolveUser('', [], files), { uid: 0, gid: 0, additionalGids: [0], home: '/root' });
  assert.deepEqual(resolveUser('www', [], files), { uid: 33, gid: 34, additionalGids: [34, 4], home: '/var/www' });
  assert.deepEqual(resolveUser('33', ['adm'], files).additionalGids, [34, 4]);
  assert.deepEqual(resolveUser('www:adm', [], files), { uid: 33, gid: 4, additionalGids: [4], home: '/var/www' });
  assert.deepEqual(resolveUser('1000:1001', [], files), { uid: 1000, gid: 1001, additionalGids: [1001], home: '/' });
  assert.deepEqual(resolveUser('5', [], { passwd: '', group: '' }).uid, 5);
  assert.throws(
    () => resolveUser('missing', [], files),
    /unable to find user missing: no matching entries in passwd file/,
  );
  assert.throws(() => resolveUser('www:none', [], files), /unable to find group none/);
  assert.throws(() => resolveUser('9999999999', [], files), /must be in range/);
});

test('digits are an id, even if passwd and group use them as a name', () => {
  const files = {
    passwd:
      'root:x:0:0:root:/root:/bin/sh\n1234:x:0:0::/root:/bin/sh\n77:x:88:88::/h77:/bin/sh\nweb:x:1234:50::/web:\n',
    group: 'root:x:0:\n5678:x:0:1234\n50:x:51:\nextra:x:9:web,77\n',
  };
  const of = (text: string, groupAdd: string[] = []) => resolveUser(text, groupAdd, files);
  assert.deepEqual(of('1234'), { uid: 1234, gid: 50, additionalGids: [50, 9], home: '/web' });
  assert.deepEqual(of('77'), { uid: 77, gid: 0, additionalGids: [0], home: '/' });
  assert.deepEqual(of('88'), { uid: 88, gid: 88, additionalGids: [88, 9], home: '/h77' });
  assert.deepEqual(of('01234'), of('1234'));
  assert.deepEqual(of('5:5678'), { uid: 5, gid: 5678, additionalGids: [5678], home: '/' });
  assert.deepEqual(of('web:50').gid, 50);
  assert.deepEqual(of('web:extra').gid, 9);
  assert.deepEqual(of('5', ['5678', '50', 'extra']).additionalGids, [0, 5678, 50, 9]);
  assert.deepEqual(of('web:'), of('web'));
  assert.deepEqual(of(':extra'), { uid: 0, gid: 9, additionalGids: [9], home: '/root' });
});

test('all behind the first colon of a user is the group', () => {
  const files = { passwd: 'root:x:0:0::/:', group: 'root:x:0:\n2:x:2:\n' };
  for (const [user, group] of [
    ['1:2:3', '2:3'],
    ['1:2:', '2:'],
    ['1::', ':'],
  ] as const)
    assert.throws(() => resolveUser(user, [], files), {
      code: 'invalid',
      message: `unable to find group ${group}: no matching entries in group file`,
    });
});

test('ids out of range are rejected, whatever their source', () => {
  const files = {
    passwd: 'far:x:4294967296:0::/:\nneg:x:-1:0::/:\nodd:x:1:2147483648::/:\n',
    group: 'g:x:4294967295:\n',
  };
  for (const text of [
    '2147483648',
    '4294967296',
    '-1',
    '1:2147483648',
    '1:-1',
    '99999999999999999999999',
    'far',
    'odd',
    '1:g',
  ])
    assert.throws(() => resolveUser(text, [], files), /uids and gids must be in range 0-2147483647/, text);
  for (const group of ['4294967296', '-5', 'g'])
    assert.throws(() => resolveUser('1', [group], files), /uids and gids must be in range/, group);
  assert.equal(resolveUser('2147483647:2147483647', [], files).uid, 2147483647);
  assert.throws(() => resolveUser('neg', [], files), /unable to find user neg/); // no number: the line is invalid
});

test('invalid lines of passwd and group are skipped and make no user root', () => {
  const passwd =
    '\n:\n::::\nempty:x:::::\nnouid:x\n\0x:y\ncr:x:7:8::/cr:/bin/sh\r\n#c:x:0:0::/:\n  last:x:9:9::/last:/bin/sh';
  const files = { passwd, group: `cr:x:70:cr\r\nshort\nhuge:x:71:${'u,'.repeat(50_000)}last\nend:x:72:last` };
  assert.deepEqual(resolveUser('cr', [], files), { uid: 7, gid: 8, additionalGids: [8, 70], home: '/cr' });
  assert.deepEqual(resolveUser('last', [], files), { uid: 9, gid: 9, additionalGids: [9, 71, 72], home: '/last' });
  for (const name of ['empty', 'nouid', '#c', 'x', ' '])
    assert.throws(() => resolveUser(name, [], files), /unable to find user/, name);
  assert.throws(() => resolveUser('cr:short', [], files), /unable to find group short/);
});

test('the default filter omits dangerous system calls and adds them with their capability', () => {
  const names = (capabilities: readonly string[]) =>
    new Set(
      planSeccomp(undefined, capabilities, facts)
        .syscalls.filter((rule) => rule.action === 'SCMP_ACT_ALLOW' && !rule.args)
        .flatMap((rule) => rule.names),
    );
  const usual = names(defaultCapabilities);
  const never =
    'mount umount2 unshare setns bpf keyctl add_key request_key kexec_load init_module reboot swapon ptrace_';
  for (const name of `${never} userfaultfd io_uring_setup open_by_handle_at clock_settime fsopen move_mount`.split(' '))
    assert.ok(!usual.has(name), name);
  for (const name of ['read', 'openat', 'execve', 'futex', 'chroot', 'epoll_pwait2']) assert.ok(usual.has(name), name);
  const admin = names([...defaultCapabilities, 'CAP_SYS_ADMIN']);
  for (const name of ['mount', 'unshare', 'clone', 'clone3']) assert.ok(admin.has(name), name);
  assert.equal(new Set(allowedSyscalls).size, allowedSyscalls.length);
});

test('without a capability clone creates no namespaces, clone3 does not exist, and vsock and alg sockets are rejected', () => {
  const { syscalls } = planSeccomp(undefined, defaultCapabilities, facts);
  const clone = syscalls.find((rule) => rule.names.includes('clone'));
  assert.deepEqual(clone?.args, [{ index: 0, value: 0x7e020000, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }]);
  assert.equal(syscalls.find((rule) => rule.names.includes('clone3'))?.errnoRet, 38);
  assert.equal(syscalls.filter((rule) => rule.names.includes('socket')).length, 3);
});

test('a user’s seccomp profile has its conditions resolved', () => {
  const allow = (name: string, includes?: object, excludes?: object): SeccompProfileRule => {
    const condition = { caps: [], arches: [], minKernel: '' };
    const of = (given?: object): SeccompCondition | undefined => given && { ...condition, ...given };
    return { names: [name], action: 'SCMP_ACT_ALLOW', args: [], includes: of(includes), excludes: of(excludes) };
  };
  const profile: SeccompProfile = {
    ...{ defaultAction: 'SCMP_ACT_ERRNO', architectures: [], listenerPath: '', listenerMetadata: '' },
    flags: ['SECCOMP_FILTER_FLAG_LOG'],
    archMap: [{ architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86'] }],
    syscalls: [
      allow('read'),
      allow('mount', { caps: ['CAP_SYS_ADMIN'] }),
      allow('breakpoint', { arches: ['arm64'] }),
      allow('ptrace', { minKernel: '4.8' }),
      allow('new', { minKernel: '6.13' }),
      allow('old', undefined, { minKernel: '6.12' }),
      allow('older', undefined, { minKernel: '7.0' }),
    ],
  };
  const planned = planSeccomp(profile, defaultCapabilities, facts);
  assert.deepEqual(planned.architectures, ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86']);
  assert.deepEqual(planned.flags, ['SECCOMP_FILTER_FLAG_LOG']);
  assert.deepEqual(
    planned.syscalls.map((rule) => rule.names.join()),
    ['read', 'ptrace', 'older'],
  );
});
