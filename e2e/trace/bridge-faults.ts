/** Faults of a network that a veth pair joins to a further bridge, which has web of the scene in `faults.ts`. */
import { setBridgeNetfilter } from '../support/bridge-netfilter.ts';
import type { Fault, FaultContext } from './fault.ts';
import { toWeb } from './faults.ts';

/**
 * Moves web to a bridge of its own, which a veth pair joins to that of its network. dockerd's chains accept what passes its
 * own bridges only. `fault`: a shell command.
 */
async function extendBridge({ host, bridgeOf, outerLinkOf }: FaultContext, fault: string): Promise<void> {
  const [bridge, port] = await Promise.all([bridgeOf('net1'), outerLinkOf('web')]);
  await host.sh(`${setBridgeNetfilter(0)}; ip link add seg0 type bridge; ip link set seg0 up
    ip link add seg0t type veth peer name seg0u; ip link set seg0t master ${bridge} up; ip link set seg0u master seg0 up
    ip link set ${port} master seg0; ${fault}`);
}

async function removeExtension({ host, bridgeOf, outerLinkOf }: FaultContext): Promise<void> {
  const [bridge, port] = await Promise.all([bridgeOf('net1'), outerLinkOf('web')]);
  await host.sh(
    `ip link set ${port} master ${bridge}; ip link delete seg0t; ip link delete seg0; ${setBridgeNetfilter(1)}`,
  );
}

interface BridgeFault {
  name: string;
  command: string;
  sentence: RegExp;
  fix: RegExp;
}

const faults: readonly BridgeFault[] = [
  {
    name: 'a further bridge of a network that is down',
    command: 'ip link set seg0 down',
    sentence: /^seg0 is down on server1\.$/,
    fix: /^ip link set seg0 up$/,
  },
  {
    name: 'an end of the pair between two bridges that is down',
    command: 'ip link set seg0u down',
    sentence: /^seg0u is down on server1\.$/,
    fix: /^ip link set seg0u up$/,
  },
  {
    name: 'a pair between two bridges of which one end left its bridge',
    command: 'ip link set seg0t nomaster',
    sentence: /^seg0t is not in br-[0-9a-f]{12} on server1\.$/,
    fix: /^ip link set seg0t master br-[0-9a-f]{12}$/,
  },
];

export const bridgeFaults: readonly Fault[] = faults.map(({ command, ...expected }) => ({
  ...expected,
  ...{ trace: toWeb, cause: 'link-down', clean: removeExtension },
  make: (context) => extendBridge(context, command),
}));
