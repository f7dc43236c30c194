/**
 * A lab of many hosts on one etcd, with a container on each, and its checks: routes have settled, all containers reach
 * each other, nothing stale is left.
 *
 * Routes are read directly from the hosts' namespaces: commands on twenty hosts would take longer than the measured time.
 */
import assert from 'node:assert/strict';
import { formatIp, formatPrefix, networkOf, parsePrefix } from '@netyard/core';
import { type Kernel, openKernel } from '@netyard/kernel';
import { bringDown, bringUp, type LabHost, parseLab } from '@netyard/lab';
import { TestHost, until } from './host.ts';
import { archivePath } from './images.ts';

/** rtm_protocol of Netyard's routes. */
const netyardProtocol = 78;
/** Hosts with a member of etcd. */
const etcdHosts = 3;

export interface ClusterLabOptions {
  name: string;
  /** A quarter of them is behind a router and is reached through VXLAN. */
  hosts: number;
  leaseSeconds: number;
}

/** What the cluster knows of a member: after it leaves, no host may know any of it. */
export interface Member {
  name: string;
  address: string;
  /** The network address, without host bits. */
  subnet: string;
  /** Address of its container. */
  container: string;
}

const hostName = (index: number): string => `n${index + 1}`;
export const containerOn = (host: string): string => `c-${host}`;

/** The lab's file. Pure. */
export function clusterLabFile({ name, hosts, leaseSeconds }: ClusterLabOptions): string {
  const far = Math.floor(hosts / 4);
  const address = (index: number): string =>
    index < hosts - far ? `172.16.0.${11 + index}` : `172.16.1.${11 + index}`;
  const members = Array.from({ length: etcdHosts }, (_, index) => index);
  const endpoints = members.map((index) => `${address(index)}:2379`).join(',');
  const peers = members.map((index) => `${hostName(index)}=http://${address(index)}:2380`).join(',');
  const etcd = [
    'exec etcd --name {host} --data-dir {state}/etcd --heartbeat-interval 250 --election-timeout 2500',
    `--initial-cluster ${peers} --initial-advertise-peer-urls http://{address}:2380`,
    '--listen-peer-urls http://{address}:2380 --advertise-client-urls http://{address}:2379',
    '--listen-client-urls http://{address}:2379',
  ].join(' ');
  const flags = [
    `--cluster=etcd://${endpoints}`,
    '--cluster-subnet=192.168.0.0/16',
    '--cluster-subnet-size=24',
    '--cluster-publish-names',
    `--cluster-lease=${leaseSeconds}`,
    '--cluster-reservation=3600',
  ];
  const lines = Array.from({ length: hosts }, (_, index) => ({
    switch: index < hosts - far ? 'near' : 'far',
    address: address(index),
    gateway: 'r1',
    daemon: flags,
    ...(index < etcdHosts
      ? { services: { etcd: { run: etcd, ready: 'etcdctl --endpoints http://{address}:2379 endpoint health' } } }
      : {}),
  }));
  return JSON.stringify({
    name,
    switches: { near: '172.16.0.0/24', far: '172.16.1.0/24' },
    routers: { r1: { near: '172.16.0.1', far: '172.16.1.1' } },
    hosts: Object.fromEntries(lines.map((line, index) => [hostName(index), line])),
  });
}

export class ClusterLab {
  readonly name: string;
  readonly #definitions: ReadonlyMap<string, LabHost>;
  readonly #hosts = new Map<string, TestHost>();
  readonly #members = new Map<string, Member>();
  readonly #kernel: Kernel = openKernel();
  readonly #image = archivePath('netyard-test');

  private constructor(name: string, definitions: readonly LabHost[]) {
    this.name = name;
    this.#definitions = new Map(definitions.map((one) => [one.name, one]));
  }

  static async open(options: ClusterLabOptions, say: (line: string) => void): Promise<ClusterLab> {
    const definition = parseLab(clusterLabFile(options), 'cluster');
    await bringUp(definition, { say, signal: new AbortController().signal });
    const hosts = definition.hosts.filter((host) => host.role !== 'router');
    const lab = new ClusterLab(options.name, hosts);
    for (const { name } of hosts) lab.find(name);
    return lab;
  }

  async close(): Promise<void> {
    this.#kernel.close();
    await bringDown(this.name);
  }

  get names(): string[] {
    return [...this.#definitions.keys()];
  }

  /** A host's name for `netyard lab`. */
  path = (host: string): string => `${this.name}/${host}`;

  host(name: string): TestHost {
    const host = this.#hosts.get(name);
    assert.ok(host, `${name} runs`);
    return host;
  }

  /** Looks a host up again: after a start it has another init process. */
  find(name: string): TestHost {
    const definition = this.#definitions.get(name);
    assert.ok(definition);
    const host = new TestHost('netyard', this.name, definition, {});
    this.#hosts.set(name, host);
    return host;
  }

  /** Loads the image and runs the host's container. */
  async runContainer(name: string): Promise<void> {
    const host = this.host(name);
    await host.docker('load', '-q', '-i', this.#image);
    await host.docker('run', '-d', '--name', containerOn(name), 'netyard-test', 'sleep', '1000000');
  }

  /** Records the addresses of a host that runs its container. */
  async recordMember(name: string): Promise<Member> {
    const definition = this.#definitions.get(name);
    const [uplink] = definition?.uplinks ?? [];
    assert.ok(uplink);
    const format = '{{.NetworkSettings.IPAddress}}';
    const container = await this.host(name).docker('inspect', '-f', format, containerOn(name));
    const address = formatIp(parsePrefix(uplink.address));
    const member = { name, address, container, subnet: await this.#subnetOf(name) };
    this.#members.set(name, member);
    return member;
  }

  member(name: string): Member {
    const member = this.#members.get(name);
    assert.ok(member, `${name} was a member`);
    return member;
  }

  async #subnetOf(name: string): Promise<string> {
    const addresses = await this.#kernel.listAddresses(this.#netns(name));
    const bridge = addresses.find((one) => one.link === 'docker0');
    assert.ok(bridge, `docker0 of ${name} has an address`);
    return formatPrefix(networkOf(parsePrefix(bridge.prefix)));
  }

  #netns = (name: string): string => `/proc/${this.host(name).pid}/ns/net`;

  /** Waits until each of these hosts has routes to exactly the others. @returns the time since `since` */
  async settle(names: readonly string[], since: number, timeoutMs = 90_000): Promise<string> {
    const subnets = new Map<string, string>();
    for (const name of names) subnets.set(name, await this.#subnetOf(name));
    const settled = async (name: string): Promise<boolean> => {
      const routes = await this.#kernel.listRoutes(this.#netns(name));
      const found = routes.filter((route) => route.protocol === netyardProtocol).map((route) => route.to);
      const expected = names.filter((other) => other !== name).map((other) => subnets.get(other));
      return found.length === expected.length && expected.every((subnet) => found.some((to) => to === subnet));
    };
    const waiting = new Set(names);
    const all = async (): Promise<boolean> => {
      for (const name of waiting) {
        if (!(await settled(name))) return false;
        waiting.delete(name);
      }
      return true;
    };
    await until(all, `routes of ${names.join(', ')} have settled`, timeoutMs);
    return seconds(since);
  }

  /**
   * Every container pings every other, by address and by NAME.HOST. Two attempts are for traffic that must not have been
   * interrupted, more for changes that may still propagate.
   */
  async assertAllReachable(names: readonly string[], attempts = 2): Promise<void> {
    const reach = [
      'reach() { n=0; until ping -c 1 -W 1 $1 > /dev/null 2>&1; do',
      `n=$((n+1)); [ $n -lt ${attempts} ] || { echo $1; return; }; sleep 0.3; done; }`,
    ].join(' ');
    await forEachConcurrently(names, async (name) => {
      const others = names.filter((other) => other !== name).map((other) => this.member(other));
      const targets = others.flatMap((other) => [other.container, `${containerOn(other.name)}.${other.name}`]);
      const line = `${reach}; for t in ${targets.join(' ')}; do reach $t & done; wait`;
      const unreachable = await this.host(name).docker('exec', containerOn(name), 'sh', '-c', line);
      assert.equal(unreachable, '', `${name}'s container does not reach`);
    });
  }

  /** Waits until a name resolves, or does not, in the containers of these hosts. @returns the time since `since` */
  async waitForName(
    names: readonly string[],
    containerName: string,
    state: 'known' | 'unknown',
    since: number,
  ): Promise<string> {
    const line = `until ${state === 'known' ? '' : '! '}nslookup ${containerName} > /dev/null 2>&1; do sleep 0.1; done`;
    await forEachConcurrently(names, async (name) => {
      await this.host(name).docker('exec', containerOn(name), 'timeout', '60', 'sh', '-c', line);
    });
    return seconds(since);
  }

  /** Waits until no route, neighbour, tunnel entry, rule or name on these hosts belongs to a former member. */
  async assertNothingStale(names: readonly string[], former: Member): Promise<void> {
    const lists = 'ip route show table all; ip neigh show nud permanent; ip neigh show nud noarp; bridge fdb show';
    const addresses = [former.subnet, former.address, former.container].map((text) => text.replaceAll('.', '\\.'));
    const pattern = new RegExp(`(?<![\\d.])(${addresses.join('|')})(?![\\d])`);
    await forEachConcurrently(names, async (name) => {
      let stale: string[] = [];
      const isClean = async (): Promise<boolean> => {
        const listing = await this.host(name).sh(`${lists}; nft list ruleset; netyard peer ls; netyard cluster ls`);
        // Except the line that says that the subnet of a host that did not leave stays reserved.
        stale = listing.split('\n').filter((text) => pattern.test(text) && !text.includes('gone, subnet reserved'));
        return stale.length === 0;
      };
      const entries = `${name} has no entry of ${former.name}`;
      await until(isClean, entries).catch(() => assert.deepEqual(stale, [], entries));
    });
    await this.waitForName(names, `${containerOn(former.name)}.${former.name}`, 'unknown', Date.now());
  }

  /** Waits until etcd has exactly these hosts and their containers' names, and no lease without a key of theirs. */
  async assertEtcdKeys(names: readonly string[], etcdHost: string): Promise<void> {
    let difference: unknown;
    const isEqual = (): Promise<boolean> =>
      this.#compareEtcdKeys(names, etcdHost).then(
        () => true,
        (error: unknown) => {
          difference = error;
          return false;
        },
      );
    await until(isEqual, 'the keys in etcd').catch(() => {
      throw difference;
    });
  }

  async #compareEtcdKeys(names: readonly string[], etcdHost: string): Promise<void> {
    const list = await this.etcdctl(etcdHost, 'get', '--prefix', '/netyard/netyard/', '--keys-only');
    const keys = list.split('\n').filter(Boolean);
    const below = (folder: string): string[] =>
      keys.flatMap((key) => (key.startsWith(`/netyard/netyard/${folder}/`) ? [key.split('/').slice(4).join('/')] : []));
    assert.deepEqual(below('hosts').sort(), [...names].sort());
    assert.deepEqual(below('names').sort(), names.map((name) => `${name}/${containerOn(name)}`).sort());
    const leases = (await this.etcdctl(etcdHost, 'lease', 'list')).match(/^[0-9a-f]{10,}$/gm) ?? [];
    for (const lease of leases) {
      const detail = await this.etcdctl(etcdHost, 'lease', 'timetolive', lease, '--keys');
      assert.match(detail, /attached keys\(\[\/netyard\/netyard\//, `lease ${lease} holds a key: ${detail}`);
    }
  }

  etcdctl(host: string, ...args: string[]): Promise<string> {
    const endpoints = this.etcdMembers().map((name) => `http://${this.#addressOf(name)}:2379`);
    return this.host(host).output('etcdctl', '--endpoints', endpoints.join(','), ...args);
  }

  etcdMembers = (): string[] => this.names.slice(0, etcdHosts);

  /** The host of etcd's leader. */
  async etcdLeader(): Promise<string> {
    const status = await this.etcdctl(this.names[3] ?? '', 'endpoint', 'status');
    const leader = status.split('\n').find((line) => line.split(', ')[4] === 'true');
    const found = this.etcdMembers().find((name) => leader?.includes(`${this.#addressOf(name)}:2379`));
    assert.ok(found, status);
    return found;
  }

  #addressOf(name: string): string {
    const [uplink] = this.#definitions.get(name)?.uplinks ?? [];
    assert.ok(uplink);
    return formatIp(parsePrefix(uplink.address));
  }
}

export const seconds = (since: number): string => `${((Date.now() - since) / 1000).toFixed(2)} s`;

/** Runs four at a time: twenty docker clients at once would only wait for each other. */
export async function forEachConcurrently<Item>(
  items: readonly Item[],
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const waiting = [...items];
  const worker = async (): Promise<void> => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: 4 }, worker));
}
