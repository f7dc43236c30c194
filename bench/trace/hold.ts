/**
 * Observes what `netyard trace` observes of a probe, between all containers of this host, until its standard input ends:
 * `first` of the first one, `everything` of the second one. Prints a line when it does. The observation of a real trace ends
 * sooner than round trips can be measured.
 */
import { packetTracing } from '@netyard/kernel';
import { observeHost } from '@netyard/topology';
import { openTraceTools } from '@netyard/trace';

/** Of no packet here. */
const packet = { protocol: 'tcp', sourcePort: 1, destination: '192.0.2.1', destinationPort: 1 } as const;

const { namespaces, containers } = await observeHost({ env: process.env });
const isTraced = (id: string): boolean => containers.some(({ namespaceId }) => namespaceId === id);
const traced = namespaces.filter(({ id, isHost }) => isHost || isTraced(id));
const tools = openTraceTools(packetTracing());
const isFirst = process.argv[2] === 'first';
const observation = isFirst ? await tools.watch(traced, packet) : await tools.arm(traced, packet, false);
console.log(observation === undefined ? 'this kernel has no BPF for it: nothing is observed' : 'observed');
process.stdin.on('end', () => observation?.close()).resume();
