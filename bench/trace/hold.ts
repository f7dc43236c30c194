/**
 * Observes what `netyard trace` observes of its first probe, between all containers of this host, until its standard input ends.
 * Prints a line when it does. The observation of a real trace ends sooner than round trips can be measured.
 */
import { packetTracing } from '@netyard/kernel';
import { observeHost } from '@netyard/topology';
import { openTraceTools } from '@netyard/trace';

/** Of no packet here. */
const packet = { protocol: 'tcp', sourcePort: 1, destination: '192.0.2.1', destinationPort: 1 } as const;

const { namespaces, containers } = await observeHost({ env: process.env });
const isTraced = (id: string): boolean => containers.some(({ namespaceId }) => namespaceId === id);
const observation = await openTraceTools(packetTracing()).watch(
  namespaces.filter(({ id, isHost }) => isHost || isTraced(id)),
  packet,
);
console.log(observation === undefined ? 'this kernel has no BPF for it: nothing is observed' : 'observed');
process.stdin.on('end', () => observation?.close()).resume();
