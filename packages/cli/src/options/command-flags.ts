/** Flags of commands whose requests have many fields: from the field tables, with checks of values. */
import { type FlagCommand, flagsOf } from '@netyard/api-types';
import type { Completion, FlagSpec } from '../program/flags.ts';
import { parseBytes, parseCpus, parseDuration, parseSwap } from '../program/values.ts';
import { parseDeviceLimit } from './device-limits.ts';
import { parseSysctl } from './host-resources.ts';
import { parseDnsSearch, parseExtraHost, parseIpAddress, parseLink } from './hosts.ts';
import { parseMount } from './mounts.ts';
import { parseNetwork } from './network.ts';
import { parseUlimit } from './ulimit.ts';

type Check = NonNullable<FlagSpec['check']>;

/** Checks of values by flag name; they throw. */
const checks: Readonly<Record<string, Check>> = {
  'add-host': parseExtraHost,
  attach: checkAttach,
  'blkio-weight-device': (text) => parseDeviceLimit(text, 'weight'),
  cpus: parseCpus,
  'device-cgroup-rule': checkDeviceRule,
  'device-read-bps': (text) => parseDeviceLimit(text, 'bytes'),
  'device-read-iops': (text) => parseDeviceLimit(text, 'count'),
  'device-write-bps': (text) => parseDeviceLimit(text, 'bytes'),
  'device-write-iops': (text) => parseDeviceLimit(text, 'count'),
  dns: parseIpAddress,
  'dns-search': parseDnsSearch,
  env: checkVariable,
  label: checkLabel,
  link: parseLink,
  'memory-swap': parseSwap,
  mount: (text) => parseMount(text, '/'),
  network: parseNetwork,
  sysctl: parseSysctl,
  ulimit: parseUlimit,
};

/** Checks by type, for the other flags. */
const typeChecks: Readonly<Record<string, Check>> = { bytes: parseBytes, duration: parseDuration };

export const commandFlags = (command: FlagCommand): FlagSpec[] =>
  flagsOf(command)
    .filter(({ dockerOnly }) => !dockerOnly)
    .map(({ on: _on, complete, ...facts }) => {
      // The daemon's messages for the others are more precise.
      const check =
        (command === 'run' || command === 'create' || command === 'update' ? checks[facts.name] : undefined) ??
        typeChecks[facts.type];
      return {
        ...facts,
        ...(check ? { check } : {}),
        ...(complete === undefined ? {} : { complete: complete as Completion | readonly string[] }),
      };
    });

function checkAttach(value: string): void {
  if (!['stdin', 'stdout', 'stderr'].includes(value.toLowerCase())) {
    throw new Error('valid streams are STDIN, STDOUT and STDERR');
  }
}

function checkVariable(value: string): void {
  if (value === '' || value.startsWith('=')) throw new Error(`invalid environment variable: ${value}`);
}

function checkLabel(value: string): void {
  if (value.startsWith('=')) throw new Error(`invalid label '${value}': empty name`);
}

function checkDeviceRule(value: string): void {
  if (!/^[acb] ([0-9]+|\*):([0-9]+|\*) [rwm]{1,3}$/.test(value)) {
    throw new Error(`invalid device cgroup format '${value}'`);
  }
}
