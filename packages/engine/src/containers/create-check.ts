/** Validates a create request before anything is changed; messages and their order are Docker's. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { cpus } from 'node:os';
import { posix } from 'node:path';
import { NetyardError, parseCapability } from '@netyard/core';
import { hasCode } from '../logs/file-errors.ts';
import { checkLogOptions } from '../logs/log-options.ts';
import type { ContainerConfig, MountRequest, Resources } from '../model.ts';
import { parseSignal } from '../processes/signals.ts';
import { supportsRecursiveReadOnly } from './mount-source.ts';
import { parseSecurityOptions, warnAboutSecurityOptions } from './security-options.ts';
import { checkSysctls } from './sysctls.ts';

const minimumMemory = 6 * 1024 * 1024;

function refuse(condition: boolean, message: string): void {
  if (condition) throw new NetyardError('invalid', message);
}

/** Throws `invalid`; returns warnings. Takes the request as sent, before the image's configuration is merged in. */
export function checkRequest(config: ContainerConfig): string[] {
  checkProcess(config);
  checkHealthcheck(config);
  const restarts = config.restartPolicy.name !== 'no';
  refuse(config.autoRemove && restarts, "can't create 'AutoRemove' container with restart policy");
  checkRestartPolicy(config.restartPolicy);
  for (const mount of config.mounts) checkMount(mount);
  const warnings = checkResources(config.resources);
  for (const rule of config.deviceRules ?? [])
    refuse(!/^[acb] (\d+|\*):(\d+|\*) [rwm]{1,3}$/.test(rule), `invalid device cgroup rule format: '${rule}'`);
  checkNamespaces(config);
  const isolation = config.isolation ?? '';
  refuse(
    !['', 'default'].includes(isolation.toLowerCase()),
    `invalid isolation (${isolation}): linux only supports 'default'`,
  );
  checkSysctls(config);
  parseSecurityOptions(config.securityOptions);
  for (const name of config.capAdd) parseCapability(name, 'CapAdd');
  for (const name of config.capDrop) parseCapability(name, 'CapDrop');
  if (config.logDriver !== '') checkLogOptions(config.logDriver, config.logOptions); // the warnings are create's
  return [...warnings, ...warnAboutSecurityOptions(config.securityOptions, hasAppArmor())];
}

const appArmorSwitch = '/sys/module/apparmor/parameters/enabled';
const hasAppArmor = (): boolean => existsSync(appArmorSwitch) && readFileSync(appArmorSwitch, 'latin1').startsWith('Y');

function checkProcess(config: ContainerConfig): void {
  const directory = config.workingDirectory;
  refuse(
    directory !== '' && !directory.startsWith('/'),
    `the working directory '${directory}' is invalid, it needs to be an absolute path`,
  );
  if (config.stopSignal !== '') parseSignal(config.stopSignal);
  // execve(2) takes C strings: the rest would be cut off.
  for (const text of [...(config.entrypoint ?? []), ...config.command, ...config.env, config.user])
    refuse(text.includes('\0'), `invalid argument: ${JSON.stringify(text)} contains a NUL byte`);
  for (const entry of config.env)
    refuse(entry === '' || entry.startsWith('='), `invalid environment variable: ${entry}`);
  refuse(config.hostname.length > 64, `hostname "${config.hostname}" is too long (maximum 64 bytes)`);
}

function checkHealthcheck({ healthcheck }: ContainerConfig): void {
  if (!healthcheck) return;
  const tooShort = (nanoseconds: number): boolean => nanoseconds !== 0 && nanoseconds < 1_000_000;
  refuse(tooShort(healthcheck.intervalNanoseconds), 'Interval in Healthcheck cannot be less than 1ms');
  refuse(tooShort(healthcheck.timeoutNanoseconds), 'Timeout in Healthcheck cannot be less than 1ms');
  refuse(healthcheck.retries < 0, 'Retries in Healthcheck cannot be negative');
  refuse(tooShort(healthcheck.startPeriodNanoseconds), 'StartPeriod in Healthcheck cannot be less than 1ms');
  refuse(tooShort(healthcheck.startIntervalNanoseconds ?? 0), 'StartInterval in Healthcheck cannot be less than 1ms');
}

export function checkRestartPolicy({ name, maximumRetryCount }: ContainerConfig['restartPolicy']): void {
  refuse(
    !['no', 'always', 'unless-stopped', 'on-failure'].includes(name),
    `invalid restart policy: unknown policy '${name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
  );
  refuse(maximumRetryCount < 0, 'invalid restart policy: maximum retry count cannot be negative');
  refuse(
    name !== 'on-failure' && maximumRetryCount !== 0,
    `invalid restart policy: maximum retry count can only be used with 'on-failure'`,
  );
}

function checkMount(mount: MountRequest): void {
  const bad = (condition: boolean, message: string): void =>
    refuse(condition, `invalid mount config for type "${mount.type}": ${message}`);
  bad(mount.target === '', 'field Target must not be empty');
  bad(posix.normalize(mount.target) === '/', "invalid specification: destination can't be '/'");
  bad(!mount.target.startsWith('/'), `invalid mount path: '${mount.target}' mount path must be absolute`);
  if (mount.type === 'tmpfs') bad(mount.source !== '', 'field Source must not be specified');
  if (mount.type !== 'bind') return;
  bad(mount.source === '', 'field Source must not be empty');
  bad(!mount.source.startsWith('/'), `invalid mount path: '${mount.source}' mount path must be absolute`);
  bad(
    mount.readOnlyForceRecursive === true && !supportsRecursiveReadOnly(),
    'recursively read-only mounts need Linux 5.12 or later',
  );
  if (mount.createSource) return;
  try {
    statSync(mount.source);
  } catch (error) {
    bad(hasCode(error, 'ENOENT'), `bind source path does not exist: ${mount.source}`);
    bad(true, error instanceof Error ? error.message : String(error));
  }
}

/** For create and for update. Returns warnings. */
export function checkResources(resources: Resources, update = false): string[] {
  const { memory, memoryReservation, memorySwap, nanoCpus, cpuPeriod, cpuQuota, blkioWeight } = resources;
  refuse(memory !== 0 && memory < minimumMemory, 'Minimum memory limit allowed is 6MB');
  refuse(
    memory > 0 && memorySwap > 0 && memorySwap < memory,
    'Minimum memoryswap limit should be larger than memory limit, see usage',
  );
  refuse(
    memory === 0 && memorySwap > 0 && !update,
    'You should always set the Memory limit when using Memoryswap limit, see usage',
  );
  refuse(memoryReservation > 0 && memoryReservation < minimumMemory, 'Minimum memory reservation allowed is 6MB');
  refuse(
    memory > 0 && memory < memoryReservation,
    'Minimum memory limit can not be less than memory reservation limit, see usage',
  );
  refuse(nanoCpus > 0 && cpuPeriod > 0, 'Conflicting options: Nano CPUs and CPU Period cannot both be set');
  refuse(nanoCpus > 0 && cpuQuota > 0, 'Conflicting options: Nano CPUs and CPU Quota cannot both be set');
  const count = nanoCpus === 0 ? 0 : cpus().length; // it reads several files for each
  refuse(
    nanoCpus < 0 || nanoCpus > count * 1e9,
    `range of CPUs is from 0.01 to ${count}.00, as there are only ${count} CPUs available`,
  );
  refuse(
    cpuPeriod !== 0 && (cpuPeriod < 1000 || cpuPeriod > 1_000_000),
    'CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)',
  );
  refuse(cpuQuota > 0 && cpuQuota < 1000, 'CPU cfs quota can not be less than 1ms (i.e. 1000)');
  refuse(resources.cpuShares < 0, `invalid CPU shares (${resources.cpuShares}): value must be a positive integer`);
  refuse(blkioWeight > 0 && (blkioWeight < 10 || blkioWeight > 1000), 'Range of blkio weight is from 10 to 1000');
  const { swappiness = 0 } = resources;
  refuse(swappiness < 0 || swappiness > 100, `Invalid value: ${swappiness}, valid memory swappiness range is 0-100`);
  checkCpuset(resources.cpusetCpus, 'cpus');
  checkCpuset(resources.cpusetMems, 'mems');
  if (!resources.oomKillDisable || memory !== 0) return [];
  return [
    'OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.',
  ];
}

const cpusets = {
  cpus: { online: '/sys/devices/system/cpu/online', name: 'CPUs' },
  mems: { online: '/sys/devices/system/node/online', name: 'memory nodes' },
} as const;

function checkCpuset(text: string, what: keyof typeof cpusets): void {
  if (text === '') return;
  refuse(!/^\d+(-\d+)?(,\d+(-\d+)?)*$/.test(text), `Invalid value ${text} for cpuset ${what}`);
  const { online, name } = cpusets[what];
  if (!existsSync(online)) return; // a kernel without memory nodes: left to the runtime, which reports its own error
  const available = readFileSync(online, 'latin1').trim();
  refuse(
    !coversNumbers(available, text),
    `Requested ${name} are not available - requested ${text}, available: ${available}`,
  );
}

/** Whether a list as the kernel prints one (`0-2,7`) contains each number of another one. Pure. */
export function coversNumbers(list: string, requested: string): boolean {
  const ranges = (text: string): [number, number][] =>
    text.split(',').map((range) => {
      const [first = '', last = first] = range.split('-');
      return [Number(first), Number(last)];
    });
  const available = ranges(list);
  return ranges(requested).every(([first, last]) =>
    available.some(([low, high]) => low <= first && first <= last && last <= high),
  );
}

function checkNamespaces(config: ContainerConfig): void {
  const shared = (mode: string): boolean => mode.startsWith('container:') && mode.length > 'container:'.length;
  const { ipcMode, pidMode, utsMode } = config;
  refuse(
    !['', 'private', 'host', 'none', 'shareable'].includes(ipcMode) && !shared(ipcMode),
    `invalid IPC mode: ${ipcMode}`,
  );
  refuse(!['', 'host'].includes(pidMode) && !shared(pidMode), `invalid PID mode: ${pidMode}`);
  refuse(!['', 'host'].includes(utsMode), `invalid UTS mode: ${utsMode}`);
  refuse(utsMode === 'host' && config.hostname !== '', 'conflicting options: hostname and the UTS mode');
  // Docker rejects it when the container starts, as the sysctl kernel.domainname of the host.
  refuse(utsMode === 'host' && config.domainname !== '', 'conflicting options: domainname and the UTS mode');
  refuse(
    !['', 'private', 'host'].includes(config.cgroupnsMode),
    `invalid cgroup namespace mode: ${config.cgroupnsMode}`,
  );
  refuse(!['', 'host'].includes(config.usernsMode), `invalid userns mode: ${config.usernsMode}`);
  refuse(config.shmSize < 0, 'SHM size can not be less than 0');
  refuse(
    config.oomScoreAdj < -1000 || config.oomScoreAdj > 1000,
    `Invalid value ${config.oomScoreAdj}, range for oom score adj is [-1000, 1000]`,
  );
}
