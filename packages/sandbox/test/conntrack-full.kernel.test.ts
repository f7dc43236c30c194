/**
 * A container that fills the host's connection tracking table: established connections continue, and new ones to
 * published ports are accepted, because the kernel evicts entries that never saw a reply. nf_conntrack_max is read-only
 * in a network namespace, so the table is filled up to the machine's value.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { openKernel } from '@netyard/kernel';
import { addNeighbour, addUplink, ask, eventually, inFreshHost, serve, sh } from '@netyard/testkit';
import { Testbed } from './testbed.ts';

const limit = Number(readFileSync('/proc/sys/net/netfilter/nf_conntrack_max', 'utf8'));
const tooLarge = limit > 600_000 && `nf_conntrack_max is ${limit}: filling the table takes too long`;
const host = await inFreshHost(import.meta.url);

/** One UDP datagram from each of a few ports to each port of the gateway, over and over: an entry each. */
const flood = `
  use strict; use Socket; my ($address, $count) = @ARGV;
  my @sockets = map { socket(my $s, AF_INET, SOCK_DGRAM, 0) or die "socket: $!"; $s } 1 .. $count;
  for (;;) { for my $s (@sockets) { for my $port (1 .. 65535) {
    send($s, 'x', 0, pack_sockaddr_in($port, inet_aton($address)));
  } } }`;

describe('a full connection tracking table', { skip: host.skip || tooLarge }, () => {
  const kernel = openKernel();
  const testbed = new Testbed({ kernel });
  const neighbour = '/run/netns/neighbour';
  const children: ChildProcess[] = [];
  before(async () => {
    addUplink();
    addNeighbour('neighbour', 9);
    await testbed.networks.start([]);
  });
  after(async () => {
    for (const child of children) child.kill('SIGKILL');
    await testbed.close();
    kernel.close();
  });

  test('established connections continue and new ones are accepted while a container keeps it full', async () => {
    const web = await testbed.run('web', { ports: [{ protocol: 'tcp', containerPort: 80, hostPort: 8801 }] });
    const attacker = await testbed.run('attacker');
    await serve(web.netnsPath, 'tcp', 80, 'web', { program: 'EXEC:cat' });
    const client = spawn('nsenter', [`--net=${neighbour}`, 'socat', '-', 'TCP4:192.0.2.1:8801']);
    children.push(client);
    let echoed = '';
    client.stdout.on('data', (bytes: Buffer) => {
      echoed += bytes.toString();
    });
    client.stdin.write('before;');
    await eventually('the connection is established', () => echoed === 'before;');

    const sources = Math.ceil(limit / 65535) + 2;
    const count = (): number => Number(sh('cat /proc/sys/net/netfilter/nf_conntrack_count'));
    const arguments_ = [`--net=${attacker.netnsPath}`, 'perl', '-e', flood, '172.17.0.1', `${sources}`];
    children.push(spawn('nsenter', arguments_, { stdio: 'ignore' }));
    await eventually(`the table is full (${limit})`, () => count() >= limit * 0.99);

    client.stdin.write('during;');
    await eventually('the connection continues', () => echoed === 'before;during;');
    for (let attempt = 0; attempt < 20; attempt += 1)
      assert.equal(ask(neighbour, 'tcp', '192.0.2.1', 8801), 'hello', `new connection ${attempt}`);
    assert.ok(count() >= limit * 0.9, 'it was full all the time');
  });
});
