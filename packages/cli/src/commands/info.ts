/** `info`: prints facts about the client and the daemon. */
import type { InfoResponse } from '@netyard/api-types';
import { describeError, Failure } from '../failure.ts';
import { binarySize } from '../format/human.ts';
import type { CommandSpec } from '../program/spec.ts';
import { compileTemplate } from '../template/evaluate.ts';
import { packageVersion } from '../version.ts';

export const info: CommandSpec = {
  usage: '[OPTIONS]',
  args: [0, 0],
  flags: [
    {
      name: 'format',
      short: 'f',
      type: 'string',
      help: "Format output using a custom template: 'json' or a Go template",
    },
  ],
  examples: ['netyard info', "netyard info -f '{{.Driver}}'"],
  run: async (context, { flags }) => {
    const format = flags.text('format');
    const client = { Version: packageVersion(), Context: 'default', Debug: false };
    if (format !== '') {
      const server = await context.client().system.info();
      const render = compileTemplate(format === 'json' ? '{{json .}}' : format);
      context.print(render({ ...server, ClientInfo: client }));
      return 0;
    }
    context.write(`Client:\n Version:    ${client.Version}\n Context:    default\n Debug Mode: false\n\nServer:\n`);
    const server = await context
      .client()
      .system.info()
      .catch((error: unknown) => {
        throw new Failure(`failed to connect to the daemon\n${describeError(error)}`);
      });
    context.write(`${infoLines(server).join('\n')}\n`);
    for (const warning of server.Warnings ?? []) context.warn(warning);
    return 0;
  },
};

/** The server's part. As in docker, empty fields have no line. Pure. */
export function infoLines(server: InfoResponse): string[] {
  return [
    ` Containers: ${server.Containers}`,
    `  Running: ${server.ContainersRunning}`,
    `  Paused: ${server.ContainersPaused}`,
    `  Stopped: ${server.ContainersStopped}`,
    ` Images: ${server.Images}`,
    ...optional(' Server Version', server.ServerVersion),
    ...optional(' Storage Driver', server.Driver),
    ...(server.DriverStatus ?? []).map(([key, value]) => `  ${key}: ${value}`),
    ...optional(' Logging Driver', server.LoggingDriver),
    ...optional(' Cgroup Driver', server.CgroupDriver),
    ...optional(' Cgroup Version', server.CgroupVersion),
    ...pluginLines(server),
    ` Swarm: ${server.Swarm?.LocalNodeState ?? 'inactive'}`,
    ...runtimeLines(server),
    ...securityLines(server.SecurityOptions ?? []),
    ...hostLines(server),
  ];
}

const optional = (name: string, value: string | undefined): string[] => (value ? [`${name}: ${value}`] : []);

function pluginLines({ Plugins }: InfoResponse): string[] {
  const line = (name: string, values: string[] | null): string[] =>
    values && values.length > 0 ? [`  ${name}: ${values.join(' ')}`] : [];
  return [
    ' Plugins:',
    `  Volume: ${(Plugins?.Volume ?? []).join(' ')}`,
    `  Network: ${(Plugins?.Network ?? []).join(' ')}`,
    ...line('Authorization', Plugins?.Authorization ?? null),
    `  Log: ${(Plugins?.Log ?? []).join(' ')}`,
  ];
}

function runtimeLines(server: InfoResponse): string[] {
  const runtimes = Object.keys(server.Runtimes ?? {});
  return [
    ...(runtimes.length > 0 ? [` Runtimes: ${runtimes.join(' ')}`, ` Default Runtime: ${server.DefaultRuntime}`] : []),
    ` Init Binary: ${server.InitBinary}`,
    ` containerd version: ${server.ContainerdCommit?.ID ?? ''}`,
    ` runc version: ${server.RuncCommit?.ID ?? ''}`,
    ` init version: ${server.InitCommit?.ID ?? ''}`,
  ];
}

/** `name=seccomp,profile=builtin` */
function securityLines(options: readonly string[]): string[] {
  if (options.length === 0) return [];
  const lines = options.flatMap((option) => {
    const fields = option.split(',').map((field) => field.split('='));
    const name = fields.find(([key]) => key === 'name')?.[1] ?? option;
    const others = fields.filter(([key, value]) => key !== 'name' && value !== undefined);
    return [`  ${name}`, ...others.map(([key, value]) => `   ${title(key ?? '')}: ${value}`)];
  });
  return [' Security Options:', ...lines];
}

const title = (word: string): string => word.slice(0, 1).toUpperCase() + word.slice(1);

function hostLines(server: InfoResponse): string[] {
  return [
    ...optional(' Kernel Version', server.KernelVersion),
    ...optional(' Operating System', server.OperatingSystem),
    ...optional(' OSType', server.OSType),
    ...optional(' Architecture', server.Architecture),
    ` CPUs: ${server.NCPU}`,
    ` Total Memory: ${binarySize(server.MemTotal)}`,
    ...optional(' Name', server.Name),
    ...optional(' ID', server.ID),
    ` Docker Root Dir: ${server.DockerRootDir}`,
    ` Debug Mode: ${server.Debug}`,
    ...optional(' HTTP Proxy', server.HttpProxy),
    ...optional(' HTTPS Proxy', server.HttpsProxy),
    ...optional(' No Proxy', server.NoProxy),
    ...(server.Labels?.length ? [' Labels:', ...server.Labels.map((label) => `  ${label}`)] : []),
    ` Experimental: ${server.ExperimentalBuild}`,
    ...registryLines(server),
    ` Live Restore Enabled: ${server.LiveRestoreEnabled}`,
    ...optional(' Product License', server.ProductLicense),
    '',
  ];
}

function registryLines({ RegistryConfig: config }: InfoResponse): string[] {
  if (!config) return [];
  const insecure = Object.values(config.IndexConfigs ?? {}).filter((index) => !index.Secure);
  const listed = [...insecure.map((index) => index.Name), ...(config.InsecureRegistryCIDRs ?? [])];
  const mirrors = config.Mirrors ?? [];
  return [
    ...(listed.length > 0 ? [' Insecure Registries:', ...listed.map((name) => `  ${name}`)] : []),
    ...(mirrors.length > 0 ? [' Registry Mirrors:', ...mirrors.map((mirror) => `  ${mirror}`)] : []),
  ];
}
