/** Converts the flags of `run` and `create` to the API's create request. Pure: files are read by a parameter. */
import { type ContainerCreateRequest, containerConfig, type HealthConfig, hostConfig } from '@netyard/api-types';
import { NetyardError, parseMac } from '@netyard/core';
import type { Flags } from '../program/flags.ts';
import { parseDuration, parseRestart } from '../program/values.ts';
import { readEnvironment, readLabels, type TextFile } from './environment.ts';
import { fillFields } from './fill-fields.ts';
import { parseLogging, parseSecurity } from './host-resources.ts';
import { parseMount, parseVolumes } from './mounts.ts';
import { parseNetwork, planEndpoints } from './network.ts';
import { parsePorts } from './ports.ts';

export interface CreateInput {
  flags: Flags;
  image: string;
  command: string[];
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
  readFile: (path: string) => string;
}

const invalid = (text: string): NetyardError => new NetyardError('invalid', text);
const orNull = <T>(items: T[]): T[] | null => (items.length > 0 ? items : null);

/** Throws `invalid` with docker's messages. */
export function createRequest(input: CreateInput): ContainerCreateRequest {
  const { flags } = input;
  checkFlags(flags);
  const ports = parsePorts(flags.list('publish'), flags.list('expose'));
  const volumes = parseVolumes(flags.list('volume'), input.cwd);
  const network = planEndpoints(flags.list('network').map(parseNetwork), {
    aliases: flags.list('network-alias'),
    links: flags.list('link'),
    ipv4: flags.text('ip'),
    ipv6: flags.text('ip6'),
    mac: flags.text('mac-address'),
    linkLocalIps: flags.list('link-local-ip'),
  });
  const host = {
    ...hostFlags(input),
    NetworkMode: network.mode,
    PortBindings: ports.bindings,
    Binds: orNull(volumes.binds),
  };
  const config = configFlags(input);
  return {
    ...fillFields(containerConfig, flags, {
      ...config,
      ExposedPorts: Object.keys(ports.exposed).length > 0 ? ports.exposed : undefined,
      Volumes: volumes.volumes,
    }),
    HostConfig: fillFields(hostConfig, flags, host),
    NetworkingConfig: { EndpointsConfig: network.endpoints },
  };
}

function checkFlags(flags: Flags): void {
  const mac = flags.text('mac-address');
  if (mac !== '') parseMac(mac);
  const swappiness = Number(flags.text('memory-swappiness'));
  if (swappiness !== -1 && (swappiness < 0 || swappiness > 100)) {
    throw invalid(`invalid value: ${swappiness}. Valid memory swappiness range is 0-100`);
  }
  checkMode(flags, 'pid', 'PID', /^(|host|container:.+)$/);
  checkMode(flags, 'uts', 'UTS', /^(|host)$/);
  checkMode(flags, 'userns', 'USER', /^(|host)$/);
  checkMode(flags, 'cgroupns', 'CGROUP', /^(|host|private)$/);
  const restart = parseRestart(flags.text('restart'));
  if (flags.bool('rm') && !['', 'no'].includes(restart.Name)) {
    throw invalid('conflicting options: cannot specify both --restart and --rm');
  }
}

function checkMode(flags: Flags, name: string, word: string, allowed: RegExp): void {
  if (!allowed.test(flags.text(name))) throw invalid(`--${name}: invalid ${word} mode`);
}

/** Fields that depend on several flags, or on a flag and the environment. */
function configFlags({ flags, image, command, env, readFile }: CreateInput): Record<string, unknown> {
  const attached = flags.list('attach').map((name) => name.toLowerCase());
  const stdin = attached.includes('stdin') || flags.bool('interactive');
  const files = (name: string): TextFile[] => flags.list(name).map((path) => ({ name: path, text: readFile(path) }));
  return {
    AttachStdin: stdin,
    AttachStdout: attached.length === 0 || attached.includes('stdout'),
    AttachStderr: attached.length === 0 || attached.includes('stderr'),
    // When an attached client disconnects, the container's input ends.
    StdinOnce: flags.bool('interactive') && stdin,
    Env: orNull(readEnvironment(files('env-file'), flags.list('env'), env)),
    Cmd: orNull(command),
    Healthcheck: healthcheck(flags),
    Image: image,
    Entrypoint: flags.has('entrypoint') ? [flags.text('entrypoint')] : null,
    Labels: readLabels(files('label-file'), [...flags.list('label'), ...publishLabel(flags)]),
  };
}

/** Encoded as a label; without the flag the daemon's default applies. */
const publishLabel = (flags: Flags): string[] =>
  flags.has('publish-name') ? [`netyard.publish-name=${flags.bool('publish-name')}`] : [];

function healthcheck(flags: Flags): HealthConfig | undefined {
  const names = ['health-interval', 'health-timeout', 'health-start-period', 'health-start-interval'] as const;
  const [interval = 0, timeout = 0, startPeriod = 0, startInterval = 0] = names.map((name) =>
    parseDuration(flags.text(name)),
  );
  const retries = flags.number('health-retries');
  const command = flags.text('health-cmd');
  const given =
    command !== '' || interval !== 0 || timeout !== 0 || startPeriod !== 0 || startInterval !== 0 || retries !== 0;
  if (flags.bool('no-healthcheck')) {
    if (given) throw invalid('--no-healthcheck conflicts with --health-* options');
    return { Test: ['NONE'] };
  }
  if (!given) return undefined;
  names.forEach((name, index) => {
    if (([interval, timeout, startPeriod, startInterval][index] ?? 0) < 0)
      throw invalid(`--${name} cannot be negative`);
  });
  if (retries < 0) throw invalid('--health-retries cannot be negative');
  return {
    ...(command !== '' ? { Test: ['CMD-SHELL', command] } : {}),
    ...(interval !== 0 ? { Interval: interval } : {}),
    ...(timeout !== 0 ? { Timeout: timeout } : {}),
    ...(startPeriod !== 0 ? { StartPeriod: startPeriod } : {}),
    ...(startInterval !== 0 ? { StartInterval: startInterval } : {}),
    ...(retries !== 0 ? { Retries: retries } : {}),
  };
}

function hostFlags({ flags, cwd, readFile }: CreateInput): Record<string, unknown> {
  const security = parseSecurity(flags.list('security-opt'), readFile);
  const mounts = flags.list('mount').map((text) => parseMount(text, cwd));
  return {
    ConsoleSize: [0, 0],
    LogConfig: parseLogging(flags.text('log-driver'), flags.list('log-opt')),
    MaskedPaths: security.maskedPaths,
    Mounts: mounts.length > 0 ? mounts : undefined,
    ReadonlyPaths: security.readonlyPaths,
    SecurityOpt: security.options,
  };
}
