import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { isNetyardError } from '@netyard/core';
import { inFreshHost } from '@netyard/testkit';
import { cgroupFile, cgroupParent, openTaskHost, type TaskHost } from './task-host.ts';

const host = inFreshHost(import.meta.url, { cgroups: true });
let testbed: TaskHost;
let mountsBefore: string;
before(async () => {
  testbed = await openTaskHost();
  mountsBefore = readFileSync('/proc/self/mountinfo', 'utf8');
});
after(() => testbed.close());

/** Runs a task to its end; returns its exit code and output. */
async function run(...given: Parameters<TaskHost['spec']>): Promise<{ code: number; out: string; err: string }> {
  const spec = testbed.spec(...given);
  await testbed.runtime.create(spec);
  await testbed.runtime.start(spec.id);
  const { exitCode } = await testbed.exited(spec.id);
  await testbed.runtime.delete(spec.id);
  return { code: exitCode, out: testbed.output(spec.id), err: testbed.output(spec.id, 'stderr') };
}

async function start(...given: Parameters<TaskHost['spec']>): Promise<string> {
  const spec = testbed.spec(...given);
  await testbed.runtime.create(spec);
  await testbed.runtime.start(spec.id);
  return spec.id;
}

const containerPid = async (id: string): Promise<number> => (await testbed.runtime.get(id))?.pid ?? 0;

const plainExec = { env: ['PATH=/bin'], workingDirectory: '/', user: '', groupAdd: [], tty: false, privileged: false };
const noStdio = { stdin: '', stdout: '', stderr: '' };

test('a process runs, its output is in the files, its exit code is reported', host, async () => {
  const spec = testbed.spec(['sh', '-c', 'echo out; echo err >&2; exit 7']);
  const { pid } = await testbed.runtime.create(spec);
  assert.equal((await testbed.runtime.get(spec.id))?.status, 'created');
  assert.ok(pid > 0);
  await testbed.runtime.start(spec.id);
  const exit = await testbed.exited(spec.id);
  assert.equal(exit.exitCode, 7);
  const stopped = await testbed.runtime.get(spec.id);
  assert.deepEqual([stopped?.status, stopped?.exit], ['stopped', exit]);
  assert.deepEqual(await testbed.runtime.delete(spec.id), exit);
  assert.equal(testbed.output(spec.id), 'out\n');
  assert.equal(testbed.output(spec.id, 'stderr'), 'err\n');
  assert.equal(await testbed.runtime.get(spec.id), undefined);
});

test('user, groups, home, working directory and host name are the container’s own', host, async () => {
  const { out } = await run(['sh', '-c', 'id; echo $HOME; pwd; hostname'], {
    user: 'web',
    groupAdd: ['extra'],
    workingDirectory: '/new/folder',
  });
  assert.equal(
    out,
    'uid=1000(web) gid=1001(web) groups=1001(web),1002(log),1003(extra)\n/srv/web\n/new/folder\nweb1\n',
  );
});

test('a container has the requested domain name', host, async () => {
  const { out } = await run(['sh', '-c', 'cat /proc/sys/kernel/hostname /proc/sys/kernel/domainname'], {
    domainname: 'example.org',
  });
  assert.equal(out, 'web1\nexample.org\n');
});

test('an init is the first process on request', host, async () => {
  const { out } = await run(['sh', '-c', 'cat /proc/1/comm; exit 0'], { init: true });
  assert.equal(out, 'docker-init\n');
});

test('an exec process has its own exit code, user and environment, and ends by itself', host, async () => {
  const id = await start(['sleep', '1000'], { groupAdd: ['extra'] });
  const stdout = testbed.fifo('exec-out');
  const { pid } = await testbed.runtime.exec(id, {
    ...plainExec,
    execId: 'one',
    containerPid: await containerPid(id),
    args: ['sh', '-c', 'id; echo $HOME; exit 5'],
    user: 'web',
    groupAdd: ['extra'],
    stdio: { ...noStdio, stdout: stdout.path },
  });
  assert.ok(pid > 0);
  assert.equal((await testbed.exited(id, 'one')).exitCode, 5);
  assert.equal((await testbed.runtime.deleteExec(id, 'one'))?.exitCode, 5);
  assert.equal(await testbed.runtime.deleteExec(id, 'one'), undefined);
  assert.equal(await stdout.text(), 'uid=1000(web) gid=1001(web) groups=1001(web),1002(log),1003(extra)\n/srv/web\n');
  assert.equal((await testbed.runtime.get(id))?.status, 'running');
  assert.equal((await testbed.runtime.delete(id))?.exitCode, 137);
});

test('thousands of groups can be added', host, async () => {
  const groupAdd = Array.from({ length: 5000 }, (_, at) => String(100_000 + at));
  const { out } = await run(['sh', '-c', 'id -G | wc -w'], { groupAdd });
  assert.equal(out.trim(), '5001');
});

test('stdin arrives through a FIFO and ends when it is closed', host, async () => {
  const stdin = testbed.fifo('in');
  const spec = testbed.spec(['cat']);
  const id = spec.id;
  await testbed.runtime.create({ ...spec, stdio: { ...spec.stdio, stdin: stdin.path } });
  await testbed.runtime.start(id);
  await stdin.write('hello\n');
  await testbed.runtime.closeStdin(id);
  assert.equal((await testbed.exited(id)).exitCode, 0);
  assert.equal(testbed.output(id), 'hello\n');
  await testbed.runtime.delete(id);
});

test('a terminal has the given size, and can be resized', host, async () => {
  const out = testbed.fifo('tty');
  const id = await start(
    ['sh', '-c', 'stty size; while [ "$(stty size)" = "20 90" ]; do sleep 0.05; done; stty size'],
    {
      tty: true,
      consoleSize: [20, 90],
      stdio: { ...noStdio, stdout: out.path },
    },
  );
  await out.until('20 90');
  await testbed.runtime.resize(id, 33, 111);
  assert.equal((await testbed.exited(id)).exitCode, 0);
  await testbed.runtime.closeStdin(id).catch((error: unknown) => assert.ok(isNetyardError(error, 'not-found')));
  await testbed.runtime.delete(id);
  assert.equal(await out.text(), '20 90\r\n33 111\r\n');
});

test('pause, resume and deletion work in every state', host, async () => {
  const created = testbed.spec(['sleep', '1000']);
  await testbed.runtime.create(created);
  assert.ok(await testbed.runtime.delete(created.id));

  const paused = await start(['sleep', '1000']);
  await testbed.runtime.pause(paused);
  assert.equal((await testbed.runtime.get(paused))?.status, 'paused');
  await testbed.runtime.resume(paused);
  assert.equal((await testbed.runtime.get(paused))?.status, 'running');
  await testbed.runtime.pause(paused);
  assert.equal((await testbed.runtime.delete(paused))?.exitCode, 137);
  assert.equal(await testbed.runtime.delete(paused), undefined);
  assert.deepEqual(await testbed.runtime.list(), []);
});

test('SIGKILL ends a process that another program froze', host, async () => {
  const id = await start(['sleep', '1000']);
  const pid = await containerPid(id);
  const path = (controllers: RegExp): string | undefined =>
    controllers.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))?.[1];
  const legacy = path(/^\d+:freezer:(.+)$/m);
  if (legacy === undefined) writeFileSync(`/sys/fs/cgroup${path(/^0::(.+)$/m)}/cgroup.freeze`, '1');
  else writeFileSync(`/sys/fs/cgroup/freezer${legacy}/freezer.state`, 'FROZEN');
  await testbed.runtime.kill(id, 9, { pid });
  assert.equal((await testbed.exited(id)).exitCode, 137);
  await testbed.runtime.delete(id);
});

test('calls about a process that ends meanwhile report it, whatever the runtime’s message', host, async () => {
  const rounds = 12;
  for (let round = 0; round < rounds; round += 1) {
    const id = await start(['sh', '-c', `sleep 0.0${round}; exit 4`]);
    const found = await containerPid(id);
    const exec = (execId: string): Promise<unknown> =>
      testbed.runtime.exec(id, { ...plainExec, execId, containerPid: found, args: ['true'], stdio: noStdio });
    const calls = [
      () => testbed.runtime.pause(id).then(() => testbed.runtime.resume(id)),
      () => testbed.runtime.update(id, { cpuShares: 512 }),
      () => testbed.runtime.pids(id),
      () => testbed.runtime.kill(id, 0, { all: true }),
      () => testbed.runtime.resize(id, 24, 80),
      () => exec(`e${round}`),
    ];
    const call = calls[round % calls.length];
    for (;;) {
      const failure: unknown = await call?.().then(
        () => undefined,
        (error: unknown) => error,
      );
      if (failure === undefined && (await testbed.runtime.get(id))?.status !== 'stopped') continue;
      if (failure !== undefined)
        assert.ok(isNetyardError(failure, 'conflict') || isNetyardError(failure, 'not-found'), String(failure));
      break;
    }
    assert.equal((await testbed.exited(id)).exitCode, 4);
    await testbed.runtime.delete(id);
  }
});

test('signals reach the process; a missing task is not found', host, async () => {
  const id = await start(['sh', '-c', 'trap "exit 9" TERM; echo ready; while :; do sleep 0.05; done']);
  while (testbed.output(id) === '') await new Promise((resolve) => setTimeout(resolve, 10));
  await testbed.runtime.kill(id, 15);
  assert.equal((await testbed.exited(id)).exitCode, 9);
  await testbed.runtime.delete(id);
  await assert.rejects(testbed.runtime.kill(id, 15), (error) => isNetyardError(error, 'not-found'));
  await assert.rejects(testbed.runtime.start(id), (error) => isNetyardError(error, 'not-found'));
});

test(
  'groups of containers begin with the CPUs and memory nodes of their parent, and can have others',
  host,
  async (t) => {
    const parent = `/sys/fs/cgroup/cpuset${cgroupParent}`;
    if (!existsSync('/sys/fs/cgroup/cpuset')) return t.skip('only cgroups v1 has empty sets');
    const first = await start(['sleep', '1000']);
    const later = await start(['sleep', '1000']);
    const limited = await start(['sleep', '1000'], { resources: { cpusetCpus: '0' } });
    const read = (name: string): string => readFileSync(`${parent}/${name}`, 'utf8').trim();
    assert.equal(read('cgroup.clone_children'), '1');
    for (const name of ['cpuset.cpus', 'cpuset.mems']) {
      assert.notEqual(read(name), '');
      for (const id of [first, later]) assert.equal(cgroupFile(id, 'cpuset', { v1: name, v2: name }), read(name));
    }
    assert.equal(cgroupFile(limited, 'cpuset', { v1: 'cpuset.cpus', v2: '' }), '0');
    for (const id of [first, later, limited]) await testbed.runtime.delete(id);
  },
);

test('limits are the cgroup’s, can be changed, and metrics report them', host, async () => {
  const id = await start(['sh', '-c', 'sleep 1000 & sleep 1000; true'], {
    resources: { memory: 64 << 20, pidsLimit: 40, cpuShares: 512, cpuPeriod: 100_000, cpuQuota: 50_000 },
  });
  assert.equal(cgroupFile(id, 'memory', { v1: 'memory.limit_in_bytes', v2: 'memory.max' }), String(64 << 20));
  assert.equal(cgroupFile(id, 'pids', { v1: 'pids.max', v2: 'pids.max' }), '40');
  assert.match(cgroupFile(id, 'cpu', { v1: 'cpu.cfs_quota_us', v2: 'cpu.max' }), /^50000\b/);
  await testbed.runtime.update(id, { memory: 96 << 20, pidsLimit: 50 });
  assert.equal(cgroupFile(id, 'memory', { v1: 'memory.limit_in_bytes', v2: 'memory.max' }), String(96 << 20));
  while ((await testbed.runtime.pids(id)).length < 3) await new Promise((resolve) => setTimeout(resolve, 10));
  const metrics = await testbed.runtime.metrics(id);
  assert.deepEqual([metrics.pids, metrics.pidsLimit, metrics.memoryLimit], [3, 50, 96 << 20]);
  await testbed.runtime.update(id, { pidsLimit: -1 });
  assert.equal((await testbed.runtime.metrics(id)).pidsLimit, 0);
  assert.ok(metrics.memoryUsage > 0 && metrics.cpuTotal > 0);
  const usage = await testbed.runtime.usage(`${cgroupParent}/${id}`);
  assert.ok(usage.cpuTotal >= metrics.cpuTotal && usage.memoryUsage > 0);
  assert.deepEqual(Object.keys(usage.memoryStats), Object.keys(metrics.memoryStats));
  await testbed.runtime.delete(id);
  await assert.rejects(testbed.runtime.metrics(id), (error) => isNetyardError(error, 'not-found'));
  await assert.rejects(testbed.runtime.usage(`${cgroupParent}/${id}`), (error) => isNetyardError(error, 'not-found'));
});

/** Ends by the limit of its memory. */
const greedy = ['sh', '-c', 'x=a; while :; do x="$x$x"; done'];
const small = { resources: { memory: 16 << 20 } };

/** Events about a container’s main process in their order. */
const eventsOf = (id: string): string[] =>
  testbed.events.filter((event) => event.type !== 'resync' && event.id === id).map(({ type }) => type);

test('a container that exceeds its memory limit is reported and exits with 137', host, async () => {
  const id = await start(greedy, small);
  assert.equal((await testbed.exited(id)).exitCode, 137);
  assert.deepEqual(eventsOf(id).slice(0, 2), ['oom', 'exit']);
  await testbed.runtime.delete(id);
});

test('an OOM kill is reported although the shim does not listen for it yet', host, async () => {
  const runtimeName = `${testbed.folder}/late-start`;
  const script = `#!/bin/sh
    crun "$@" || exit
    for word; do
      [ "$word" != start ] || while kill -0 "$(cat init.pid)"; do sleep 0.01; done 2>/dev/null
    done`;
  writeFileSync(runtimeName, script, { mode: 0o755 });
  const id = await start(greedy, { ...small, runtimeName });
  assert.equal((await testbed.exited(id)).exitCode, 137);
  assert.deepEqual(eventsOf(id).slice(0, 2), ['oom', 'exit']);
  await testbed.runtime.delete(id);
});

const failures: [string, string[], object, RegExp][] = [
  ['missing', ['nope'], {}, /^exec: "nope": executable file not found in \$PATH$/],
  ['missing path', ['/bin/nope'], {}, /^exec: "\/bin\/nope": stat \/bin\/nope: no such file or directory$/],
  ['no program', ['/etc/plain'], {}, /^exec: "\/etc\/plain": permission denied$/],
  ['folder', ['/etc'], {}, /^exec: "\/etc": permission denied$/],
  ['empty', [''], {}, /^exec: "": executable file not found in \$PATH$/],
  ['unknown user', ['true'], { user: 'who' }, /^unable to find user who: no matching entries in passwd file$/],
  ['unknown group', ['true'], { user: 'web:who' }, /^unable to find group who: no matching entries in group file$/],
  [
    'file as folder',
    ['true'],
    { workingDirectory: '/etc/passwd' },
    /^chdir to cwd \("\/etc\/passwd"\) .*: not a directory$/,
  ],
  ['unknown runtime', ['true'], { runtimeName: 'fast' }, /^unknown or invalid runtime name: fast$/],
  [
    'missing device',
    ['true'],
    { devices: [{ pathOnHost: '/dev/no', pathInContainer: '/dev/no', permissions: 'rwm' }] },
    /^error gathering device information while adding custom device "\/dev\/no": no such file or directory$/,
  ],
];
for (const runtimeName of ['crun', 'runc']) {
  test(
    `${runtimeName}: a command that cannot run is rejected with Docker’s message and leaves nothing behind`,
    host,
    async () => {
      for (const [what, args, more, message] of failures) {
        const spec = testbed.spec(args, { runtimeName, ...more });
        await assert.rejects(
          testbed.runtime.create(spec),
          (error) => isNetyardError(error, 'invalid') && message.test(error.message),
          what,
        );
      }
      assert.deepEqual(await testbed.runtime.list(), []);
      const { containers } = await testbed.client.containers.list({});
      assert.deepEqual(containers, []);
    },
  );
}

test('an exec process that cannot run is rejected and leaves the container alone', host, async () => {
  const id = await start(['sleep', '1000']);
  const pid = await containerPid(id);
  const exec = (execId: string, args: string[], more = {}): Promise<unknown> =>
    testbed.runtime.exec(id, { ...plainExec, stdio: noStdio, execId, containerPid: pid, args, ...more });
  await assert.rejects(exec('a', ['nope']), /^NetyardError: exec: "nope": executable file not found in \$PATH$/);
  await assert.rejects(exec('b', ['/etc/plain']), /exec: "\/etc\/plain": permission denied/);
  await assert.rejects(exec('c', ['true'], { workingDirectory: '/no' }), /chdir to cwd \("\/no"\)/);
  await exec('a', ['true']); // the name is available again
  await testbed.exited(id, 'a');
  assert.equal((await testbed.runtime.get(id))?.status, 'running');
  await testbed.runtime.delete(id);
});

test('deletion removes everything that a killed shim leaves', host, async () => {
  const id = await start(['sleep', '1000']);
  const pid = (await testbed.runtime.get(id))?.pid ?? 0;
  const shim = Number(/^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  process.kill(shim, 'SIGKILL');
  await testbed.exited(id);
  await testbed.runtime.delete(id);
  assert.equal(await testbed.runtime.get(id), undefined);
});

test('deleted tasks leave nothing behind', host, async () => {
  assert.deepEqual(await testbed.runtime.list(), []);
  const newMounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => !mountsBefore.includes(line));
  assert.deepEqual(newMounts, []);
  assert.deepEqual(existsSync(`${testbed.folder}/oci/test`) ? readdirSync(`${testbed.folder}/oci/test`) : [], []);
  for (const folder of cgroupParents()) assert.deepEqual(subfolders(folder), [], folder);
  const shims = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && nameOf(pid).startsWith('containerd-shim'));
  assert.deepEqual(shims, []);
});

const subfolders = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);

const cgroupParents = (): string[] =>
  ['', ...subfolders('/sys/fs/cgroup')]
    .map((controller) => `/sys/fs/cgroup/${controller}${cgroupParent}`)
    .filter((folder) => existsSync(folder));

function nameOf(pid: string): string {
  try {
    const state = /^State:\s*(\w)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return state === 'Z' ? '' : readFileSync(`/proc/${pid}/comm`, 'utf8');
  } catch {
    return '';
  }
}
