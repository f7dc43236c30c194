/**
 * A lab of many hosts on one etcd, with a container on each, and what is asked of it again and again: has everybody
 * settled, does everybody reach everybody, is nothing stale left.
 *
 * Routes are read straight from the hosts' namespaces: asking twenty hosts through commands would take longer than what
 * is measured.
 */
import assert from 'node:assert/strict';
import { formatIp, formatPrefix, networkOf, parsePrefix } from '@netyard/core';
import { type Kernel, openKernel } from '@netyard/kernel';
import { bringDown, bringUp, type LabHost, parseLab } from '@netyard/lab';
import { TestHost, until } from './host.ts';
import { archivePath } from './images.ts';

/** rtm_protocol of routes that Netyard made. */
const ourRoutes = 78;
/** Hosts with a member of etcd. */
const etcdHosts = 3;

export interface ClusterLabOptions {
  name: string;
  /** Behind a router of their own are a quarter of them: reached through VXLAN. */
  hosts: number;
  leaseSeconds: number;
}

/** What the cluster knew of a host while it was a member: nobody may know any of it afterwards. */
export interface Member {
  name: string;
  address: string;
  /** Without host bits. */
  subnet: string;
  /** Of its container. */
  container: string;
}

const hostName = (index: number): string => `n${index + 1}`;
const boxOf = (host: string): string => `box-${host}`;

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

  /** How `lab …` calls a host. */
  path = (host: string): string => `${this.name}/${host}`;

  host(name: string): TestHost {
    const host = this.#hosts.get(name);
    assert.ok(host, `${name} runs`);
    return host;
  }

  /** Looks it up anew: after a start it has another first process. */
  find(name: string): TestHost {
    const definition = this.#definitions.get(name);
    assert.ok(definition);
    const host = new TestHost('netyard', this.name, definition, {});
    this.#hosts.set(name, host);
    return host;
  }

  /** Loads the image and runs the host's container. */
  async runBox(name: string): Promise<void> {
    const host = this.host(name);
    await host.docker('load', '-q', '-i', this.#image);
    await host.docker('run', '-d', '--name', boxOf(name), 'netyard-test', 'sleep', '1000000');
  }

  /** What is known of a host now that it has its container. */
  async learn(name: string): Promise<Member> {
    const definition = this.#definitions.get(name);
    const [uplink] = definition?.uplinks ?? [];
    assert.ok(uplink);
    const format = '{{.NetworkSettings.IPAddress}}';
    const container = await this.host(name).docker('inspect', '-f', format, boxOf(name));
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

  /** Waits until each of these hosts has routes to all the others of them and to nobody else; gives the seconds since. */
  async settle(names: readonly string[], since: number, patienceMs = 90_000): Promise<string> {
    const subnets = new Map<string, string>();
    for (const name of names) subnets.set(name, await this.#subnetOf(name));
    const settled = async (name: string): Promise<boolean> => {
      const routes = await this.#kernel.listRoutes(this.#netns(name));
      const found = routes.filter((route) => route.protocol === ourRoutes).map((route) => route.to);
      const wanted = names.filter((other) => other !== name).map((other) => subnets.get(other));
      return found.length === wanted.length && wanted.every((subnet) => found.some((to) => to === subnet));
    };
    const waiting = new Set(names);
    const all = async (): Promise<boolean> => {
      for (const name of waiting) {
        if (!(await settled(name))) return false;
        waiting.delete(name);
      }
      return true;
    };
    await until(all, `routes of ${names.join(', ')} have settled`, patienceMs);
    return seconds(since);
  }

  /**
   * Every container pings every other, by address and by NAME.HOST, in this many attempts: one and another where traffic
   * must not have been touched, more where news may still be on its way.
   */
  async reachEachOther(names: readonly string[], attempts = 2): Promise<void> {
    const reach = [
      'reach() { n=0; until ping -c 1 -W 1 $1 > /dev/null 2>&1; do',
      `n=$((n+1)); [ $n -lt ${attempts} ] || { echo $1; return; }; sleep 0.3; done; }`,
    ].join(' ');
    await inTimeSlices(names, async (name) => {
      const others = names.filter((other) => other !== name).map((other) => this.member(other));
      const targets = others.flatMap((other) => [other.container, `${boxOf(other.name)}.${other.name}`]);
      const line = `${reach}; for t in ${targets.join(' ')}; do reach $t & done; wait`;
      const unreachable = await this.host(name).docker('exec', boxOf(name), 'sh', '-c', line);
      assert.equal(unreachable, '', `${name}'s container does not reach`);
    });
  }

  /** Waits until a name resolves, or does not, in the containers of these hosts; gives the seconds since. */
  async resolves(names: readonly string[], wanted: string, state: 'known' | 'unknown', since: number): Promise<string> {
    const line = `until ${state === 'known' ? '' : '! '}nslookup ${wanted} > /dev/null 2>&1; do sleep 0.1; done`;
    await inTimeSlices(names, async (name) => {
      await this.host(name).docker('exec', boxOf(name), 'timeout', '60', 'sh', '-c', line);
    });
    return seconds(since);
  }

  /** That nothing on these hosts speaks of a former member: routes, neighbours, tunnel, rules, name. */
  async nothingStale(names: readonly string[], gone: Member): Promise<void> {
    const lists = 'ip route show table all; ip neigh show nud permanent; ip neigh show nud noarp; bridge fdb show';
    const words = [gone.subnet, gone.address, gone.container].map((word) => word.replaceAll('.', '\\.'));
    const pattern = new RegExp(`(?<![\\d.])(${words.join('|')})(?![\\d])`);
    await inTimeSlices(names, async (name) => {
      const said = await this.host(name).sh(`${lists}; nft list ruleset; netyard peer ls; netyard cluster ls`);
      // A host that did not leave gets its subnet again: that it is kept for it is told, and is all.
      const stale = said.split('\n').filter((text) => pattern.test(text) && !text.includes('gone, subnet reserved'));
      assert.deepEqual(stale, [], `${name} still speaks of ${gone.name}`);
    });
    await this.resolves(names, `${boxOf(gone.name)}.${gone.name}`, 'unknown', Date.now());
  }

  /** That etcd holds just these hosts and their containers' names, and no lease without a key of theirs. */
  async etcdHolds(names: readonly string[], etcdHost: string): Promise<void> {
    const list = await this.etcdctl(etcdHost, 'get', '--prefix', '/netyard/netyard/', '--keys-only');
    const keys = list.split('\n').filter(Boolean);
    const below = (folder: string): string[] =>
      keys.flatMap((key) => (key.startsWith(`/netyard/netyard/${folder}/`) ? [key.split('/').slice(4).join('/')] : []));
    assert.deepEqual(below('hosts').sort(), [...names].sort());
    assert.deepEqual(below('names').sort(), names.map((name) => `${name}/${boxOf(name)}`).sort());
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

  /** The host whose etcd leads the others. */
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

/** Some at a time: twenty docker clients at once would only wait for each other. */
export async function inTimeSlices<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  const waiting = [...items];
  const worker = async (): Promise<void> => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: 4 }, worker));
}
