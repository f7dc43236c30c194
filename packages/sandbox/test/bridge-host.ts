/** Sets up the default bridge between a neighbouring host and containers, on a real kernel. */
import { after, before, describe } from 'node:test';
import { openKernel } from '@netyard/kernel';
import { addNeighbour, addUplink, sh } from '@netyard/testkit';
import type { NetworkSettings } from '../src/index.ts';
import { Testbed } from './testbed.ts';

/**
 * Runs the same tests twice: with br_netfilter on, bridged packets also traverse the `ip` chains. Hosts have it on or
 * off, and the result must be the same. `neighbour` is the path of the namespace of 192.0.2.9, `host` is the value that
 * `inFreshHost` returns.
 */
export function describeBridge(
  host: { skip: string | false },
  settings: Partial<NetworkSettings>,
  tests: (testbed: Testbed, neighbour: string) => void,
): void {
  for (const bridgeNetfilter of ['1', '0']) {
    describe(`with bridge-nf-call-iptables=${bridgeNetfilter}`, host, () => {
      const kernel = openKernel();
      const testbed = new Testbed({ kernel, settings });
      before(async () => {
        const keys = ['iptables', 'ip6tables'].map((name) => `net.bridge.bridge-nf-call-${name}=${bridgeNetfilter}`);
        sh(`sysctl -qw ${keys.join(' ')}`);
        addUplink();
        addNeighbour('neighbour', 9);
        await testbed.networks.start([]);
      });
      after(async () => {
        await testbed.close();
        kernel.close();
        sh('ip netns delete neighbour; ip link delete n-neighbour; ip link delete up0; ip link delete docker0');
        sh('nft flush ruleset');
      });
      tests(testbed, '/run/netns/neighbour');
    });
  }
}
