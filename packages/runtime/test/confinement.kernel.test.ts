/** What a container must not be able to do, tried from inside one with plain system calls. */
import assert from 'node:assert/strict';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { TaskMount, TaskSpec } from '@netyard/engine';
import { inFreshHost } from '@netyard/testkit';
import { openTaskHost, type TaskHost } from './task-host.ts';

const host = inFreshHost(import.meta.url, { cgroups: true });
let testbed: TaskHost;
before(async () => {
  testbed = await openTaskHost();
  for (const name of ['lib', 'lib64']) symlinkSync(`usr/${name}`, join(testbed.rootfs, name));
});
after(() => testbed.close());

/** The host's Perl can make any system call. */
const perl: TaskMount = { type: 'bind', source: '/usr', target: '/usr', options: ['rbind', 'ro', 'rprivate'] };

async function inContainer(args: string[], more: Partial<TaskSpec> = {}): Promise<string> {
  const spec = testbed.spec(args, { mounts: [perl], ...more });
  await testbed.runtime.create(spec);
  await testbed.runtime.start(spec.id);
  await testbed.exited(spec.id);
  await testbed.runtime.delete(spec.id);
  return testbed.output(spec.id) + testbed.output(spec.id, 'stderr');
}

/** x86_64 numbers; arguments are chosen so that the kernel itself would not return EPERM to root. */
const CLONE_NEWUSER = 0x10000000;
const ADDR_NO_RANDOMIZE = 0x40000;
const refused: [name: string, call: string, errno: number][] = [
  ['unshare', `272, ${CLONE_NEWUSER}`, 1],
  ['clone of a namespace', `56, ${CLONE_NEWUSER | 17}, 0, 0, 0, 0`, 1],
  ['clone3', '435, 0, 0', 38],
  ['mount', '165, $none, $tmp, $tmpfs, 0, 0', 1],
  ['umount', '166, $proc, 0', 1],
  ['pivot_root', '155, $proc, $tmp', 1],
  ['keyctl', '250, 0, -3, 0', 1],
  ['add_key', '248, $user, $none, $none, 1, -2', 1],
  ['bpf', '321, 0, 0, 0', 1],
  ['perf_event_open', '298, 0, 0, 0, 0, 0', 1],
  ['io_uring_setup', '425, 1, 0', 1],
  ['userfaultfd', '323, 0', 1],
  ['kexec_load', '246, 0, 0, 0, 0', 1],
  ['init_module', '175, 0, 0, $none', 1],
  ['reboot', '169, 0, 0, 0', 1],
  ['settimeofday', '164, 0, 0', 1],
  ['swapon', '167, $none, 0', 1],
  ['clock_adjtime that sets', '305, 0, ($t = pack("L", 1) . "\\0" x 252)', 1],
  ['adjtimex that sets', '159, ($t = pack("L", 1) . "\\0" x 252)', 1],
  ['open_by_handle_at', '304, 0, 0, 0', 1],
  ['setns', '308, 0, 0', 1],
  ['personality without address randomisation', `135, ${ADDR_NO_RANDOMIZE}`, 1],
  ['socket of the kernel’s crypto', '41, 38, 5, 0', 1],
  ['socket to the hypervisor', '41, 40, 1, 0', 1],
];
const allowed: [name: string, call: string][] = [
  ['personality: question', '135, 0xffffffff'],
  ['socket of netlink', '41, 16, 3, 0'],
  ['socket of IPv4', '41, 2, 1, 0'],
  ['memfd_create', '319, $none, 0'],
  ['clock_adjtime: question', '305, 0, ($t = "\\0" x 256)'],
];
const script = [...refused.map(([name, call]) => ({ name, call })), ...allowed.map(([name, call]) => ({ name, call }))]
  .map(({ name, call }) => `$! = 0; my $r = syscall(${call}); print "${name}: ", ($r < 0 ? $! + 0 : 0), "\\n";`)
  .join('\n');
const expected = [
  ...refused.map(([name, , errno]) => `${name}: ${errno}`),
  ...allowed.map(([name]) => `${name}: 0`),
].join('\n');
const onX64 = { skip: host.skip || (process.arch === 'x64' ? false : 'system call numbers of x86_64') };

for (const runtimeName of ['crun', 'runc']) {
  test(`${runtimeName}: the filter rejects system calls that reach beyond the container`, onX64, async () => {
    for (const turn of ['compiled anew', 'kept from the first']) {
      const said = await inContainer(['/usr/bin/perl', '-e', script], { runtimeName });
      assert.equal(said.trim(), expected, turn);
    }
  });
}

const status = ['sh', '-c', 'grep -E "^(CapEff|CapBnd|Seccomp|NoNewPrivs)" /proc/self/status'];
const field = (text: string, name: string): string => new RegExp(`^${name}:\\s*(\\w+)$`, 'm').exec(text)?.[1] ?? '';

test('a container has Docker’s fourteen capabilities, plus those requested', host, async () => {
  const plain = await inContainer(status);
  assert.equal(field(plain, 'CapEff'), '00000000a80425fb');
  assert.equal(field(plain, 'Seccomp'), '2');
  assert.equal(field(plain, 'NoNewPrivs'), '0');
  const changed = await inContainer(status, { capDrop: ['ALL'], capAdd: ['net_admin'], noNewPrivileges: true });
  assert.equal(field(changed, 'CapBnd'), '0000000000001000');
  assert.equal(field(changed, 'NoNewPrivs'), '1');
  const user = await inContainer(status, { user: '1000' });
  assert.deepEqual([field(user, 'CapEff'), field(user, 'CapBnd')], ['0000000000000000', '00000000a80425fb']);
});

test('a capability allows its system calls; unconfined and privileged have no filter', host, async () => {
  const mount = ['sh', '-c', 'mount -t tmpfs none /tmp && echo mounted'];
  assert.match(await inContainer(mount, { capAdd: ['SYS_ADMIN'] }), /^mounted/);
  assert.doesNotMatch(await inContainer(mount), /mounted/);
  assert.equal(field(await inContainer(status, { seccomp: 'unconfined' }), 'Seccomp'), '0');
  assert.equal(field(await inContainer(status, { privileged: true }), 'Seccomp'), '0');
});

test('kernel settings and the host’s devices are out of reach', host, async () => {
  const attempts = [
    'echo 1 > /proc/sys/vm/overcommit_memory',
    'echo b > /proc/sysrq-trigger',
    'ls /sys/firmware/*',
    'mkdir $(ls -d /sys/fs/cgroup/memory /sys/fs/cgroup | tail -1)/x',
    'echo $$ > $(ls /sys/fs/cgroup/memory/tasks /sys/fs/cgroup/cgroup.procs | head -1)',
    'mkdir /sys/x',
    'mknod /tmp/mem c 1 1 && cat /tmp/mem',
  ];
  const said = await inContainer(['sh', '-c', attempts.map((one) => `( ${one} ) && echo "done: ${one}"`).join('; ')]);
  assert.doesNotMatch(said, /done/);
  const masked = ['sh', '-c', 'cat /proc/interrupts /proc/timer_list 2> /dev/null | wc -c'];
  assert.equal((await inContainer(masked)).trim(), '0');
  assert.notEqual((await inContainer(masked, { privileged: true })).trim(), '0');
});
