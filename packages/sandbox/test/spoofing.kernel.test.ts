/**
 * Documents what a container with CAP_NET_RAW can forge on its bridge: ARP claims reach the other containers unless
 * icc=false, and always the host. docs/differences.md states the same.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { eventually, inFreshHost, pings, sh } from '@netyard/testkit';
import { describeBridge } from './bridge-host.ts';

const gateway = '172.17.0.1';

/** Broadcasts ARP replies from eth0: arguments are the sender's MAC, then pairs of claimed address and target. */
const forgeArp = `
  use strict; use Socket; my ($text, @pairs) = @ARGV; my $mac = pack 'H12', $text =~ s/://gr;
  socket(my $s, 17, SOCK_RAW, 0) or die "socket: $!";
  my $request = pack 'a16 x24', 'eth0'; ioctl($s, 0x8933, $request) or die "SIOCGIFINDEX: $!";
  my $to = pack 'S n i S C C a8', 17, 0x0806, unpack('x16 i', $request), 1, 0, 6, "\\xff" x 6;
  while (my ($claimed, $target) = splice @pairs, 0, 2) {
    my $arp = pack 'n n C C n a6 a4 a6 a4', 1, 0x0800, 6, 4, 2, $mac, inet_aton($claimed), "\\xff" x 6, inet_aton($target);
    defined send($s, ("\\xff" x 6) . $mac . pack('n', 0x0806) . $arp, 0, $to) or die "send: $!";
  }`;

const inside = (ns: string | undefined, ...command: string[]): string =>
  execFileSync('nsenter', [`--net=${ns}`, ...command], { encoding: 'utf8' });

const host = inFreshHost(import.meta.url);
for (const icc of [true, false]) {
  describeBridge(host, { icc }, (testbed) => {
    test(`icc=${icc}: forged ARP reaches the host and, only with icc, the other containers`, async () => {
      const victim = await testbed.run('victim');
      const attacker = await testbed.run('attacker');
      const [own, forged] = [victim.endpoints[0], attacker.endpoints[0]?.mac ?? ''];
      const address = own?.addresses.v4?.address ?? '';
      const entryOfVictim = (): string => sh(`ip neighbour show ${address} dev docker0`);
      const entryOfGateway = (): string => inside(victim.netnsPath, 'ip', 'neighbour', 'show', gateway, 'dev', 'eth0');
      assert.ok(pings(victim.netnsPath, gateway));
      const genuine = /lladdr (\S+)/.exec(entryOfGateway())?.[1] ?? '';
      assert.notEqual(genuine, forged);
      assert.ok(entryOfVictim().includes(own?.mac ?? '-'));

      // The kernel ignores a change within a second of the last one (locktime), hence the repetition.
      const forge = (): string =>
        inside(attacker.netnsPath, 'perl', '-e', forgeArp, forged, gateway, address, address, gateway);
      const reaches = (entry: () => string): boolean => {
        forge();
        return entry().includes(forged);
      };
      await eventually('the host takes the attacker for the victim', () => reaches(entryOfVictim));
      if (icc) await eventually('the victim takes the attacker for the gateway', () => reaches(entryOfGateway));
      else {
        await setTimeout(1500);
        forge();
        assert.ok(entryOfGateway().includes(genuine), entryOfGateway());
      }
      await testbed.remove(victim.containerId);
      await testbed.remove(attacker.containerId);
    });
  });
}
