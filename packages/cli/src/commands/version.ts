/** `version`: prints the versions of the client and the daemon. */
import type { VersionResponse } from '@netyard/api-types';
import { describeError, Failure } from '../failure.ts';
import type { Context } from '../program/context.ts';
import type { CommandSpec } from '../program/spec.ts';
import { compileTemplate } from '../template/evaluate.ts';
import { packageVersion } from '../version.ts';

interface ClientVersion {
  Version: string;
  ApiVersion: string;
  DefaultAPIVersion: string;
  NodeVersion: string;
  Os: string;
  Arch: string;
}

export const version: CommandSpec = {
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
  examples: ['netyard version', "netyard version --format '{{.Server.Version}}'"],
  run: async (context, { flags }) => {
    const format = flags.text('format');
    const render = format === '' ? undefined : compileTemplate(format === 'json' ? '{{json .}}' : format);
    const { server, problem } = await askServer(context);
    const client = await clientVersion(context, problem === undefined);
    if (render) context.print(render({ Client: withGoName(client), Server: server ? withGoName(server) : null }));
    else context.write(versionText(client, server));
    if (problem !== undefined) throw new Failure(describeError(problem));
    return 0;
  },
};

/** Docker's templates use APIVersion, its JSON ApiVersion. */
function withGoName<T extends { ApiVersion: string }>(version: T): T {
  return Object.defineProperty({ ...version }, 'APIVersion', { value: version.ApiVersion, enumerable: false });
}

/** Prints the client's lines even if the daemon is unreachable. */
async function askServer(context: Context): Promise<{ server?: VersionResponse; problem?: unknown }> {
  try {
    return { server: await context.client().system.version() };
  } catch (problem) {
    return { problem };
  }
}

async function clientVersion(context: Context, reachable: boolean): Promise<ClientVersion> {
  const { newestApiVersion } = await import('@netyard/client');
  const architectures: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };
  return {
    Version: packageVersion(),
    ApiVersion: reachable ? await context.client().apiVersion() : newestApiVersion,
    DefaultAPIVersion: newestApiVersion,
    NodeVersion: process.version,
    Os: process.platform,
    Arch: architectures[process.arch] ?? process.arch,
  };
}

export function versionText(client: ClientVersion, server: VersionResponse | undefined): string {
  const downgraded =
    client.ApiVersion === client.DefaultAPIVersion ? '' : ` (downgraded from ${client.DefaultAPIVersion})`;
  const lines = [
    'Client:',
    ` Version:           ${client.Version}`,
    ` API version:       ${client.ApiVersion}${downgraded}`,
    ` Node version:      ${client.NodeVersion}`,
    ` OS/Arch:           ${client.Os}/${client.Arch}`,
  ];
  return `${[...lines, ...(server ? serverLines(server) : [])].join('\n')}\n`;
}

/** Each component, with details in docker's order. */
function serverLines(server: VersionResponse): string[] {
  const lines = ['', server.Platform.Name === '' ? 'Server:' : `Server: ${server.Platform.Name}`];
  for (const { Name, Version, Details } of server.Components ?? []) {
    lines.push(` ${Name}:`);
    const shown =
      Name === 'Engine'
        ? engineDetails(Version, Details)
        : [['Version', Version], ...Object.entries(Details ?? {}).sort()];
    for (const [key, value] of shown) lines.push(`  ${`${key}:`.padEnd(18)}${value}`);
  }
  return lines;
}

function engineDetails(version: string, details: Readonly<Record<string, string>>): [string, string][] {
  const text = (key: string): string => details[key] ?? '';
  return [
    ['Version', version],
    ['API version', `${text('ApiVersion')} (minimum version ${text('MinAPIVersion')})`],
    ['Go version', text('GoVersion')],
    ['Git commit', text('GitCommit')],
    ['Built', builtText(text('BuildTime'))],
    ['OS/Arch', `${text('Os')}/${text('Arch')}`],
    ['Experimental', text('Experimental') || 'false'],
  ];
}

/** Formats like Go's time.ANSIC. */
function builtText(time: string): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return time;
  const [weekday = '', day = '', month = '', year = ''] = date.toUTCString().replace(',', '').split(' ');
  return `${weekday} ${month} ${String(Number(day)).padStart(2)} ${date.toISOString().slice(11, 19)} ${year}`;
}
