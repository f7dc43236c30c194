/** Checks that a lab changes nothing on the machine and leaves nothing behind. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

/** State that a lab must never change: the machine's own links, addresses, routes, rules, tables, forwarding. */
export function machine(): string {
  const commands =
    'ip -o link | sed "s/ state .*//"; ip -o address; ip route; ip rule; nft list tables; sysctl net.ipv4.ip_forward';
  return execFileSync('sh', ['-c', commands], { encoding: 'utf8' });
}

/** Paths of cgroups, by conditions of find(1). Its status is ignored: groups of other tests disappear meanwhile. */
export const findCgroups = (...conditions: string[]): string =>
  spawnSync('find', ['/sys/fs/cgroup', '-type', 'd', ...conditions], { encoding: 'utf8' }).stdout;

export function assertNothingLeft(name: string, before: string): void {
  assert.equal(machine(), before);
  assert.ok(!existsSync(`/run/netyard-lab/${name}`), 'the run folder is deleted');
  assert.ok(!existsSync(`/var/lib/netyard-lab/${name}`), 'the data folder is deleted');
  assert.ok(!readFileSync('/proc/self/mountinfo', 'utf8').includes(`/${name}/`), 'no mount is left');
  assert.equal(findCgroups('-name', name), '', 'no cgroup is left');
  const processes = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' });
  assert.ok(!processes.includes(`netyard-lab/${name}/`), processes);
}
