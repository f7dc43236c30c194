/** Translates a container's configuration (Config of inspect) between Docker's fields and the engine's. Pure. */
import { type ContainerConfig as Answer, containerConfig, type Output } from '@netyard/api-types';
import type { ContainerConfig, ContainerRecord, Healthcheck } from '@netyard/engine';
import { type Codec, type Codecs, readFields, showerOf } from './field-codec.ts';
import { exposedKey, parsePortKey } from './ports.ts';

type ConfigCodec<Value> = Codec<Value, ContainerConfig, ContainerRecord>;
type ConfigBody = Output<typeof containerConfig>;
type HealthBody = NonNullable<ConfigBody['Healthcheck']>;

/** A value that the engine stores unchanged. */
const same = <K extends keyof ContainerConfig>(key: K): ConfigCodec<ContainerConfig[K]> => ({
  read: (value) => ({ [key]: value }) as Partial<ContainerConfig>,
  show: ({ config }) => config[key],
});
/** A field that the table of fields calls ignored. */
const unused = <Value>(zero: Value): ConfigCodec<Value> => ({ read: () => ({}), show: () => zero });

const readHealthcheck = (body: HealthBody): Healthcheck => ({
  test: body.Test,
  intervalNanoseconds: body.Interval,
  timeoutNanoseconds: body.Timeout,
  startPeriodNanoseconds: body.StartPeriod,
  startIntervalNanoseconds: body.StartInterval,
  retries: body.Retries,
});

export const showHealthcheck = (check: Healthcheck): HealthBody => ({
  Test: check.test,
  Interval: check.intervalNanoseconds,
  Timeout: check.timeoutNanoseconds,
  StartPeriod: check.startPeriodNanoseconds,
  StartInterval: check.startIntervalNanoseconds ?? 0,
  Retries: check.retries,
});

const orNothing = (words: readonly string[] | undefined): string[] | null => (words?.length ? [...words] : null);

const configCodecs: Codecs<typeof containerConfig, ContainerConfig, ContainerRecord> = {
  ArgsEscaped: unused(false),
  AttachStderr: same('attachStderr'),
  AttachStdin: same('attachStdin'),
  AttachStdout: same('attachStdout'),
  Cmd: {
    read: (words) => ({ command: words ?? [] }),
    show: ({ config }) => orNothing(config.command),
  },
  Domainname: same('domainname'),
  Entrypoint: {
    read: (words) => ({ entrypoint: words ?? undefined }),
    show: ({ config }) => orNothing(config.entrypoint),
  },
  Env: same('env'),
  ExposedPorts: {
    read: readExposed,
    show: ({ config }) => config.exposedKeys ?? config.exposed.map(exposedKey),
  },
  Healthcheck: {
    read: (check) => (check ? { healthcheck: readHealthcheck(check) } : {}),
    show: ({ config }) => (config.healthcheck ? showHealthcheck(config.healthcheck) : undefined),
  },
  Hostname: { read: (hostname) => ({ hostname }), show: hostnameOf },
  Image: same('image'),
  Labels: same('labels'),
  MacAddress: {
    read: (macAddress) => ({ macAddress }),
    show: ({ config }) => config.macAddress || requestedMac(config),
  },
  NetworkDisabled: same('networkDisabled'),
  OnBuild: {
    read: (instructions) => (instructions?.length ? { onBuild: instructions } : {}),
    show: ({ config }) => orNothing(config.onBuild),
  },
  OpenStdin: same('openStdin'),
  Shell: {
    read: (words) => (words?.length ? { shell: words } : {}),
    show: ({ config }) => config.shell,
  },
  StdinOnce: same('stdinOnce'),
  StopSignal: same('stopSignal'),
  StopTimeout: {
    read: (seconds) => ({ stopTimeoutSeconds: seconds ?? undefined }),
    show: ({ config }) => config.stopTimeoutSeconds,
  },
  Tty: same('tty'),
  User: same('user'),
  Volumes: same('volumes'),
  WorkingDir: same('workingDirectory'),
};

export const readConfig = (body: ConfigBody): Partial<ContainerConfig> => readFields(configCodecs, body);

export const showConfig: (record: ContainerRecord) => Answer = showerOf(containerConfig, configCodecs);

/** The keys themselves are stored only if they have another form, such as `80` or `53/UDP`. */
function readExposed(keys: readonly string[]): Pick<ContainerConfig, 'exposed' | 'exposedKeys'> {
  const exposed = keys.flatMap(parsePortKey);
  const isUsual = keys.every((key, index) => exposed[index] && exposedKey(exposed[index]) === key);
  return { exposed, ...(isUsual ? {} : { exposedKeys: [...keys] }) };
}

/** Without a hostname Docker shows the short id. */
function hostnameOf({ id, config }: ContainerRecord): string {
  return config.hostname || id.slice(0, 12);
}

/** Of the endpoint on the network that the mode names: since API 1.44 the command sends --mac-address there. */
function requestedMac({ networkModeText, endpoints }: ContainerConfig): string {
  const network = ['', 'default'].includes(networkModeText) ? 'bridge' : networkModeText;
  return endpoints.find((endpoint) => endpoint.network === network)?.macAddress ?? '';
}
