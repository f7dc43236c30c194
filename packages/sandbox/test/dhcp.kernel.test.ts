/**
 * Documents whom a container's DHCP offers reach: the other containers of its bridge unless icc=false, programs of the
 * host that listen on port 68, but no program outside. The host configures nothing. docs/differences.md states the same.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { eventually, inFreshHost, sh } from '@netyard/testkit';
import { describeBridge } from './bridge-host.ts';

const inNamespace = (ns: string | undefined, command: string[]): [string, string[]] =>
  ns === undefined ? [command[0] ?? '', command.slice(1)] : ['nsenter', [`--net=${ns}`, ...command]];

/** A DHCP reply (RFC 2131): BOOTREPLY with the magic cookie, option 53 = offer, routers = 172.17.0.66; `text` in sname. */
function offer(text: string): Buffer {
  const packet = Buffer.alloc(300);
  packet.set([2, 1, 6, 0]);
  packet.set([172, 17, 0, 99], 16); // yiaddr
  packet.write(text, 44);
  packet.set([0x63, 0x82, 0x53, 0x63, 53, 1, 2, 3, 4, 172, 17, 0, 66, 255], 236);
  return packet;
}

function send(ns: string | undefined, address: string, text: string): void {
  const options = `broadcast,reuseaddr${ns === undefined ? '' : ',sourceport=67,bind=0.0.0.0'}`;
  const [command, rest] = inNamespace(ns, ['socat', '-u', '-', `UDP4-DATAGRAM:${address}:68,${options}`]);
  execFileSync(command, rest, { input: offer(text) });
}

/** Receives on port 68, as a DHCP client does, until the test ends. Returns whether it received a text. */
async function listen(t: TestContext, ns: string | undefined, file: string): Promise<(text: string) => boolean> {
  writeFileSync(file, '');
  const [command, rest] = inNamespace(ns, ['socat', '-u', 'UDP4-RECV:68,reuseaddr,broadcast', `OPEN:${file},append`]);
  const client = spawn(command, rest, { stdio: 'ignore' });
  t.after(() => client.kill());
  const [ss, options] = inNamespace(ns, ['ss', '-Hlun', 'sport', '=', ':68']);
  await eventually('a client listens on port 68', () => execFileSync(ss, options, { encoding: 'utf8' }) !== '');
  return (text) => readFileSync(file, 'latin1').includes(text);
}

const configuration = (): string => sh('ip -o -4 address; ip -4 route show table all; ip rule; cat /etc/resolv.conf');

const host = inFreshHost(import.meta.url);
for (const icc of [true, false]) {
  describeBridge(host, { icc }, (testbed, neighbour) => {
    test(`icc=${icc}: DHCP offers reach the host and, only with icc, the other containers, but no other host`, async (t) => {
      const victim = await testbed.run('victim');
      const attacker = await testbed.run('attacker');
      const address = victim.endpoints[0]?.addresses.v4?.address ?? '';
      const heardBy = (name: string, ns: string | undefined) => listen(t, ns, join(testbed.directory, name));
      const victimHeard = await heardBy('victim', victim.netnsPath);
      const outsideHeard = await heardBy('outside', neighbour);
      const hostHeard = await heardBy('host', undefined);
      const before = configuration();

      for (const target of ['255.255.255.255', '172.17.255.255', address, '192.0.2.9', '192.0.2.255'])
        send(attacker.netnsPath, target, `offer to ${target};`);
      // Sent after the offers, by the same path into each listener.
      send(undefined, address, 'from the host;');
      send(undefined, '192.0.2.9', 'from the host;');
      await eventually('the victim listens', () => victimHeard('from the host;'));
      await eventually('the neighbour listens', () => outsideHeard('from the host;'));
      await eventually('the host’s listener receives the broadcast', () => hostHeard('offer to 255.255.255.255;'));

      for (const target of ['255.255.255.255', '172.17.255.255', address])
        assert.equal(victimHeard(`offer to ${target};`), icc, `to ${target}`);
      for (const target of ['255.255.255.255', '172.17.255.255', '192.0.2.255'])
        assert.equal(outsideHeard(`offer to ${target};`), false, `to ${target}`);
      assert.equal(configuration(), before);
      await testbed.remove(victim.containerId);
      await testbed.remove(attacker.containerId);
    });
  });
}
