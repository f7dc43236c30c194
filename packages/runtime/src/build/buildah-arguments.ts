/** The arguments of `buildah build`. Pure. */
import type { BuildLimits, BuildNetwork, BuildRun } from '@netyard/engine';

export interface BuildahPaths {
  dockerfile: string;
  context: string;
  /** Where it writes the image's id. */
  idFile: string;
  policy: string;
  cgroupParent: string;
  /** crun or runc. */
  runtime: string;
}

export function buildArguments(run: BuildRun, paths: BuildahPaths): string[] {
  return [
    'build',
    ...['--format', 'docker', '--layers', '--no-cache', '--identity-label=false', '--pull=never', '--http-proxy=false'],
    ...['--isolation', 'oci', '--runtime', paths.runtime, '--cgroup-parent', paths.cgroupParent],
    ...['--signature-policy', paths.policy, '--iidfile', paths.idFile, '--file', paths.dockerfile],
    ...networkArguments(run.network),
    ...limitArguments(run.limits),
    ...[...run.buildArgs].flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]),
    ...Object.entries(run.labels).flatMap(([name, value]) => ['--label', `${name}=${value}`]),
    ...run.extraHosts.flatMap((host) => ['--add-host', host]),
    paths.context,
  ];
}

function networkArguments(network: BuildNetwork): string[] {
  if (network.kind === 'none') return ['--network', 'none'];
  if (network.kind === 'host') return ['--network', 'host'];
  return ['--network', `ns:${network.path}`, ...network.nameServers.flatMap((address) => ['--dns', address])];
}

function limitArguments(limits: BuildLimits): string[] {
  const flags: Record<string, string | number> = {
    memory: limits.memory,
    'memory-swap': limits.memorySwap,
    'cpu-shares': limits.cpuShares,
    'cpu-period': limits.cpuPeriod,
    'cpu-quota': limits.cpuQuota,
    'cpuset-cpus': limits.cpusetCpus,
    'cpuset-mems': limits.cpusetMems,
    'shm-size': limits.shmSize,
  };
  const set = Object.entries(flags).filter(([, value]) => value !== 0 && value !== '');
  return [
    ...set.flatMap(([name, value]) => [`--${name}`, String(value)]),
    ...limits.ulimits.flatMap(({ name, soft, hard }) => ['--ulimit', `${name}=${soft}:${hard}`]),
  ];
}
