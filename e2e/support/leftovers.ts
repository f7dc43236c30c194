/** Lists everything that an engine may leave behind on a host, to compare before and after. */
import type { TestHost } from './host.ts';

/** Shell commands that list one kind of object inside the host, sorted, without counters and times. */
const lists: Readonly<Record<string, string>> = {
  links:
    "ip -o link | sed -E 's/^[0-9]+: //; s/@if[0-9]+//; s/ (state|qdisc) [^ ]+//g; s/NO-CARRIER,|,LOWER_UP//g' | cut -d'\\' -f1 | sort",
  namespaces: 'find /run/netns /run/docker/netns -type f 2> /dev/null | sort',
  routes: 'ip route | sed "s/ linkdown//"',
  nftables: "nft list ruleset | sed -E 's/ counter packets [0-9]+ bytes [0-9]+//; s/ expires [0-9a-z]+//'",
  mounts: "cut -d' ' -f5 /proc/self/mountinfo | sort",
  cgroups: 'find /sys/fs/cgroup -type d | sort',
  processes: "ps -eo comm= | grep -vE '^(ps|sh|sort|grep|uniq)$' | sort | uniq -c",
};

/** Files of the engine, without logs and the extra files of a database. */
const files = (folder: string): string =>
  `find ${folder} /run/netyard -not -name '*-wal' -not -name '*-shm' -not -name '*.log' | sort`;

export type Inventory = Record<string, string>;

export async function takeInventory(host: TestHost): Promise<Inventory> {
  const inventory: Inventory = {};
  for (const [kind, line] of Object.entries({ ...lists, files: files(host.dataFolder) }))
    inventory[kind] = await host.sh(line);
  return inventory;
}
