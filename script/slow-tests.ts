/**
 * The test files that take longest, longest first. script/test starts them first: a long file that starts last runs alone,
 * while the other processors wait. What `script/test` prints as the slowest files of a tier belongs here.
 */
export const slowTests: readonly string[] = [
  'e2e/trace-faults.e2e.test.ts',
  'e2e/flags.e2e.test.ts',
  'e2e/trace-hosts.e2e.test.ts',
  'e2e/conformance.e2e.test.ts',
  'e2e/compose.e2e.test.ts',
  'e2e/cluster-twenty.e2e.test.ts',
  'e2e/page.e2e.test.ts',
  'e2e/questions.e2e.test.ts',
  'e2e/cluster-networks.e2e.test.ts',
  'e2e/sites.e2e.test.ts',
  'e2e/load-memory.e2e.test.ts',
  'e2e/build.e2e.test.ts',
  'e2e/hostile-names.e2e.test.ts',
  'e2e/upgrade.e2e.test.ts',
  'e2e/many-containers.e2e.test.ts',
  'e2e/journal.e2e.test.ts',
  'e2e/archives.e2e.test.ts',
  'e2e/damage.e2e.test.ts',
  'packages/cluster/test/outage.kernel.test.ts',
  'packages/sandbox/test/isolation.kernel.test.ts',
  'packages/daemon/test/daemon.kernel.test.ts',
  'packages/lab/test/lab.kernel.test.ts',
  'packages/sandbox/test/network-names.kernel.test.ts',
  'packages/sandbox/test/ipv6-isolation.kernel.test.ts',
  'packages/sandbox/test/tunnel.kernel.test.ts',
  'packages/sandbox/test/peers-over-ipv6.kernel.test.ts',
  'packages/runtime/test/archive-trees.kernel.test.ts',
  'packages/sandbox/test/namespace-repair.kernel.test.ts',
  'packages/cluster/test/access.kernel.test.ts',
  'packages/sandbox/test/peer-ipv6.kernel.test.ts',
  'packages/sandbox/test/other-firewalls.kernel.test.ts',
  'packages/sandbox/test/network-spoofing.kernel.test.ts',
  'packages/sandbox/test/other-engines.kernel.test.ts',
  'packages/daemon/test/layer-trees.kernel.test.ts',
  'script/build-commands.test.ts',
  'packages/docker-api/test/every-route.test.ts',
  'packages/docker-api/test/hostile.test.ts',
  'packages/engine/test/output.test.ts',
  'packages/cli/test/output.docker.test.ts',
];

/** The files in the order in which they start: slow ones first, the others as given. Pure. */
export function slowestFirst(files: readonly string[], slow: readonly string[] = slowTests): string[] {
  const rest = files.filter((file) => !slow.includes(file));
  return [...slow.filter((file) => files.includes(file)), ...rest];
}
