/** `update`: other limits, or another restart policy, for containers that exist. */
import type { ContainerUpdateRequest } from '@netyard/api-types';
import { Failure } from '../failure.ts';
import { createFlags } from '../options/create-flags.ts';
import type { Flags } from '../program/flags.ts';
import type { CommandSpec } from '../program/spec.ts';
import { parseBytes, parseCpus, parseRestart, parseSwap } from '../program/values.ts';

const names = [
  'blkio-weight',
  'cpu-period',
  'cpu-quota',
  'cpu-rt-period',
  'cpu-rt-runtime',
  'cpu-shares',
  'cpus',
  'cpuset-cpus',
  'cpuset-mems',
  'memory',
  'memory-reservation',
  'memory-swap',
  'pids-limit',
  'restart',
];

export const update: CommandSpec = {
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  args: [1, Number.POSITIVE_INFINITY],
  flags: createFlags.filter((flag) => names.includes(flag.name)).map(({ default: _none, ...flag }) => flag),
  examples: ['netyard update --restart always web', 'netyard update -m 256m --memory-swap 512m web'],
  complete: 'containers',
  run: async (context, { args, flags }) => {
    if (!names.some((name) => flags.has(name))) {
      throw new Failure('you must provide one or more flags when using this command');
    }
    const body = updateRequest(flags);
    const warnings: string[] = [];
    for (const ref of args) {
      warnings.push(...((await context.client().containers.update(ref, body)).Warnings ?? []));
      context.print(ref);
    }
    if (warnings.length > 0) context.print(warnings.join('\n'));
    return 0;
  },
};

/** Only what was given: what is not stays as it is. */
function updateRequest(flags: Flags): ContainerUpdateRequest {
  const given = <T>(name: string, field: string, parse: (text: string) => T): Record<string, T> =>
    flags.has(name) ? { [field]: parse(flags.text(name)) } : {};
  const same = (text: string): string => text;
  return {
    ...given('blkio-weight', 'BlkioWeight', Number),
    ...given('cpu-period', 'CpuPeriod', Number),
    ...given('cpu-quota', 'CpuQuota', Number),
    ...given('cpu-rt-period', 'CpuRealtimePeriod', Number),
    ...given('cpu-rt-runtime', 'CpuRealtimeRuntime', Number),
    ...given('cpu-shares', 'CpuShares', Number),
    ...given('cpus', 'NanoCpus', parseCpus),
    ...given('cpuset-cpus', 'CpusetCpus', same),
    ...given('cpuset-mems', 'CpusetMems', same),
    ...given('memory', 'Memory', parseBytes),
    ...given('memory-reservation', 'MemoryReservation', parseBytes),
    ...given('memory-swap', 'MemorySwap', parseSwap),
    ...given('pids-limit', 'PidsLimit', Number),
    ...(flags.has('restart') ? { RestartPolicy: parseRestart(flags.text('restart')) } : {}),
  };
}
