/** `port`: prints the port mappings of a container; `port add` and `port rm` change them. */

import type { ContainerInspect, PortsRequest } from '@netyard/api-types';
import { isNetyardError } from '@netyard/core';
import { describeError, Failure } from '../failure.ts';
import { joinHostPort } from '../format/containers.ts';
import { naturalCompare } from '../format/human.ts';
import { parsePorts, splitProtocol } from '../options/ports.ts';
import type { Context } from '../program/context.ts';
import type { CommandInput, CommandSpec } from '../program/spec.ts';
import { dryRunFlag, printDryRun } from './dry-run.ts';

type Ports = ContainerInspect['NetworkSettings']['Ports'];

/** `add` and `rm` are commands only with a container and a port: with fewer words, they are names of containers. */
export const port: CommandSpec = {
  usage: 'CONTAINER [PRIVATE_PORT[/PROTO]]',
  args: [1, Number.POSITIVE_INFINITY],
  flags: [dryRunFlag],
  description:
    'Change the ports of a container, which may be running:\n' +
    '  netyard port add [OPTIONS] CONTAINER [IP:][HOST_PORT:]PORT[/PROTO]...\n' +
    '  netyard port rm [OPTIONS] CONTAINER [IP:][HOST_PORT:]PORT[/PROTO]...',
  examples: [
    'netyard port web',
    'netyard port web 80/tcp',
    'netyard port add web 8080:80',
    'netyard port rm web 8080:80',
    'netyard port add --dry-run web 127.0.0.1:5353:53/udp',
  ],
  complete: 'containers',
  run: async (context, input) => {
    const [action = '', ref = '', ...ports] = input.args;
    if (ports.length > 0 && (action === 'add' || action === 'rm')) {
      await (action === 'add' ? addPorts : removePorts)(context, input, ref, bindingsOf(ports));
      return 0;
    }
    if (ports.length > 0) throw new Failure(tooManyArguments);
    if (input.flags.bool('dry-run')) throw new Failure('--dry-run is for `netyard port add` and `netyard port rm`');
    await printPorts(context, action, input.args[1]).catch(explainAction(action));
    return 0;
  },
};

/** `port add web`: no container is named `add`, and the ports are missing. */
function explainAction(action: string): (error: unknown) => never {
  return (error) => {
    if (!['add', 'rm'].includes(action) || !isNetyardError(error, 'not-found')) throw error;
    const hint = `to change ports, run \`netyard port ${action} CONTAINER [IP:][HOST_PORT:]PORT[/PROTO]...\``;
    throw new Failure(`${describeError(error)}\n${hint}`);
  };
}

const tooManyArguments =
  "netyard: 'netyard port' requires at least 1 and at most 2 arguments\n\n" +
  "Usage:  netyard port CONTAINER [PRIVATE_PORT[/PROTO]]\n\nSee 'netyard port --help' for more information";

const bindingsOf = (ports: readonly string[]): PortsRequest => ({ PortBindings: parsePorts(ports, []).bindings });

async function addPorts(context: Context, { flags }: CommandInput, ref: string, body: PortsRequest): Promise<void> {
  const { containers } = context.client();
  if (flags.bool('dry-run')) return printDryRun(context, await containers.planAddPorts(ref, body));
  const { Ports: added, Warnings: warnings } = await containers.addPorts(ref, body);
  for (const warning of warnings) context.warn(`WARNING: ${warning}`);
  const lines = mappingLines(added);
  for (const line of lines.length > 0 ? lines : [ref]) context.print(line);
}

async function removePorts(context: Context, { flags }: CommandInput, ref: string, body: PortsRequest): Promise<void> {
  const { containers } = context.client();
  if (flags.bool('dry-run')) return printDryRun(context, await containers.planRemovePorts(ref, body));
  await containers.removePorts(ref, body);
  context.print(ref);
}

async function printPorts(context: Context, ref: string, requested: string | undefined): Promise<void> {
  const container = await context.client().containers.inspect(ref);
  const ports = container.NetworkSettings.Ports ?? {};
  if (requested === undefined) {
    for (const line of mappingLines(ports)) context.print(line);
    return;
  }
  const { port: number, protocol } = splitProtocol(requested);
  if (!/^\d+$/.test(number) || Number(number) > 65535) {
    throw new Failure(
      `Error: invalid port (${number}): strconv.ParseUint: parsing ${JSON.stringify(number)}: invalid syntax`,
    );
  }
  const bindings = ports[`${number}/${protocol.toLowerCase()}`];
  if (!bindings) throw new Failure(`Error: No public port '${requested}' published for ${ref}`);
  const lines = bindings.map(({ HostIp, HostPort }) => joinHostPort(HostIp, HostPort));
  for (const line of lines.sort(naturalCompare)) context.print(line);
}

/** `80/tcp -> 0.0.0.0:8080` */
function mappingLines(ports: Ports): string[] {
  const lines = Object.entries(ports).flatMap(([key, bindings]) =>
    (bindings ?? []).map(({ HostIp, HostPort }) => `${key} -> ${joinHostPort(HostIp, HostPort)}`),
  );
  return lines.sort(naturalCompare);
}
