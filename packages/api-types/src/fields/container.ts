/** Body of POST /containers/create: the container's configuration, HostConfig and NetworkingConfig. */
import { endpointRequest } from './endpoint.ts';
import { boolFlag, durationFlag, intFlag, listFlag, stringFlag } from './flags.ts';
import { hostConfig } from './host-config.ts';
import { flag, keys, list, map, none, object, orNull, text, whole, words, zero } from './shape.ts';

/** Durations are nanoseconds. */
export const healthcheck = object({
  Test: zero(list(text), {
    omitEmpty: true,
    flags: [
      stringFlag('health-cmd', 'Command to run to check health'),
      boolFlag('no-healthcheck', 'Disable any container-specified HEALTHCHECK'),
    ],
  }),
  Interval: zero(whole, {
    omitEmpty: true,
    flags: [durationFlag('health-interval', 'Time between running the check (ms|s|m|h)')],
  }),
  Timeout: zero(whole, {
    omitEmpty: true,
    flags: [durationFlag('health-timeout', 'Maximum time to allow one check to run (ms|s|m|h)')],
  }),
  StartPeriod: zero(whole, {
    omitEmpty: true,
    flags: [
      durationFlag(
        'health-start-period',
        'Start period for the container to initialize before starting health-retries countdown (ms|s|m|h)',
      ),
    ],
  }),
  StartInterval: zero(whole, {
    omitEmpty: true,
    since: 44,
    flags: [durationFlag('health-start-interval', 'Time between running the check during the start period (ms|s|m|h)')],
  }),
  Retries: zero(whole, {
    omitEmpty: true,
    flags: [intFlag('health-retries', 'Consecutive failures needed to report unhealthy')],
  }),
});

const attachment = {
  AttachStdin: zero(flag, {
    flags: [listFlag('attach', 'Attach to STDIN, STDOUT or STDERR', { short: 'a' })],
    also: ['interactive'],
  }),
  AttachStdout: zero(flag, { also: ['attach', 'detach'] }),
  AttachStderr: zero(flag, { also: ['attach', 'detach'] }),
  Tty: zero(flag, { flags: [boolFlag('tty', 'Allocate a pseudo-TTY', { short: 't' })] }),
  OpenStdin: zero(flag, {
    flags: [boolFlag('interactive', 'Keep STDIN open even if not attached', { short: 'i' })],
  }),
  StdinOnce: zero(flag, { also: ['interactive'] }),
} as const;

export const containerConfig = {
  Hostname: zero(text, { flags: [stringFlag('hostname', 'Container host name', { short: 'h' })] }),
  Domainname: zero(text, { flags: [stringFlag('domainname', 'Container NIS domain name')] }),
  User: zero(text, {
    flags: [stringFlag('user', 'Username or UID (format: <name|uid>[:<group|gid>])', { short: 'u' })],
  }),
  ...attachment,
  ExposedPorts: zero(keys, {
    omitEmpty: true,
    flags: [listFlag('expose', 'Expose a port or a range of ports')],
    also: ['publish'],
  }),
  Env: zero(list(text), {
    flags: [
      listFlag('env', 'Set environment variables', { short: 'e' }),
      listFlag('env-file', 'Read in a file of environment variables'),
    ],
  }),
  Cmd: none(words),
  Healthcheck: none(healthcheck, { omitEmpty: true }),
  Image: zero(text),
  Volumes: zero(keys, { also: ['volume'] }),
  WorkingDir: zero(text, {
    flags: [stringFlag('workdir', 'Working directory inside the container', { short: 'w' })],
  }),
  Entrypoint: none(words, {
    flags: [stringFlag('entrypoint', 'Overwrite the default ENTRYPOINT of the image')],
  }),
  NetworkDisabled: zero(flag, { omitEmpty: true }),
  MacAddress: zero(text, {
    omitEmpty: true,
    flags: [stringFlag('mac-address', 'Container MAC address (e.g., 92:d0:c6:0a:29:33)')],
    remark: 'from API 1.44 on with Docker’s warning: it belongs to the endpoint',
  }),
  OnBuild: none(list(text), { remark: 'of images that `commit` makes of the container' }),
  Labels: zero(map(text), {
    emptyAsValue: true,
    flags: [
      listFlag('label', 'Set meta data on a container', { short: 'l' }),
      listFlag('label-file', 'Read in a line delimited file of labels'),
      boolFlag('publish-name', "Let the other hosts of the cluster resolve the container's name"),
    ],
  }),
  StopSignal: zero(text, {
    omitEmpty: true,
    flags: [stringFlag('stop-signal', 'Signal to stop the container')],
  }),
  StopTimeout: none(whole, {
    omitEmpty: true,
    flags: [intFlag('stop-timeout', 'Timeout (in seconds) to stop a container')],
  }),
  Shell: none(list(text), { omitEmpty: true, remark: 'runs the health checks of kind CMD-SHELL' }),
  ArgsEscaped: zero(flag, { omitEmpty: true, status: { ignored: 'for Windows containers' } }),
} as const;

export const networkingConfig = object({
  EndpointsConfig: zero(map(orNull(object(endpointRequest)))),
});

export const containerCreate = {
  ...containerConfig,
  HostConfig: zero(object(hostConfig)),
  NetworkingConfig: none(networkingConfig),
} as const;
