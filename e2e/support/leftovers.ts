/** Lists everything that an engine may leave behind on a host, to compare before and after. */
import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { type TestHost, until } from './host.ts';

/**
 * All mount points but the root of a running container, which leaves the host's mount table a moment after its start. One of a
 * container that has ended is listed.
 */
const mountPoints = `cut -d' ' -f5 /proc/self/mountinfo | sort | while read -r path; do
  id=\${path%/merged}
  case $path in
    */overlay/containers/*/merged) [ -z "$(find /sys/fs/cgroup -type d -name "\${id##*/}")" ] || continue ;;
  esac
  echo "$path"
done`;

/** Shell commands that list one kind of object inside the host, sorted, without counters and times. */
const lists: Readonly<Record<string, string>> = {
  links:
    "ip -o link | sed -E 's/^[0-9]+: //; s/@if[0-9]+//; s/ (state|qdisc) [^ ]+//g; s/NO-CARRIER,|,LOWER_UP//g' | cut -d'\\' -f1 | sort",
  namespaces: 'find /run/netns /run/docker/netns -type f 2> /dev/null | sort',
  routes: 'ip route | sed "s/ linkdown//"',
  nftables: "nft list ruleset | sed -E 's/ counter packets [0-9]+ bytes [0-9]+//; s/ expires [0-9a-z]+//'",
  mounts: mountPoints,
  cgroups: 'find /sys/fs/cgroup -type d | sort',
  processes: "ps -eo comm= | grep -vE '^(ps|sh|sort|grep|uniq)$' | sort | uniq -c",
};

/**
 * Files of the engine, without logs, the journal, which is written in the background, the extra files of a database, and what
 * is in mounted roots of containers.
 */
const files = (folder: string): string =>
  `find ${folder} /run/netyard -not -path '${folder}/journal/*' -not -path '*/merged/*' -not -name '*-wal' -not -name '*-shm' -not -name '*.log' | sort`;

export type Inventory = Record<string, string>;

export async function takeInventory(host: TestHost): Promise<Inventory> {
  const inventory: Inventory = {};
  for (const [kind, line] of Object.entries({ ...lists, files: files(host.dataFolder) }))
    inventory[kind] = await host.sh(line);
  return inventory;
}

/** Of a host whose containers are removed: shims and interfaces end a moment after `docker rm` has returned. */
export async function takeEmptyInventory(host: TestHost): Promise<Inventory> {
  const shims = (): Promise<string> => host.sh("ps -eo comm= | grep '^containerd-shim' || true");
  const links = (): Promise<string> => host.sh("ip -o link | grep -E ' (ny-[0-9a-f]{12}|veth[0-9a-f]{7})@' || true");
  await until(async () => (await shims()) === '', 'all shims have ended');
  await until(async () => (await links()) === '', 'all interfaces of containers are deleted');
  return takeInventory(host);
}

/** Waits until a host has what it had, and nothing else, of some kinds or of all. */
export async function untilInventory(
  host: TestHost,
  expected: Inventory,
  kinds: readonly string[] = Object.keys(expected),
): Promise<void> {
  const select = (inventory: Inventory): Inventory =>
    Object.fromEntries(kinds.map((kind) => [kind, inventory[kind] ?? '']));
  let now: Inventory = {};
  const isBack = async (): Promise<boolean> => {
    now = select(await takeInventory(host));
    return isDeepStrictEqual(now, select(expected));
  };
  await until(isBack, 'nothing is left').catch(() => {}); // the comparison below shows what is
  assert.deepEqual(now, select(expected));
}
