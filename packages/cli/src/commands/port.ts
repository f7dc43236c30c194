/** `port`: prints the port mappings of a container. */

import { Failure } from '../failure.ts';
import { joinHostPort } from '../format/containers.ts';
import { naturalCompare } from '../format/human.ts';
import { splitProtocol } from '../options/ports.ts';
import type { CommandSpec } from '../program/spec.ts';

export const port: CommandSpec = {
  usage: 'CONTAINER [PRIVATE_PORT[/PROTO]]',
  args: [1, 2],
  flags: [],
  examples: ['netyard port web', 'netyard port web 80/tcp'],
  complete: 'containers',
  run: async (context, { args: [ref = '', requested] }) => {
    const container = await context.client().containers.inspect(ref);
    const ports = container.NetworkSettings.Ports ?? {};
    if (requested === undefined) {
      const lines = Object.entries(ports).flatMap(([key, bindings]) =>
        (bindings ?? []).map(({ HostIp, HostPort }) => `${key} -> ${joinHostPort(HostIp, HostPort)}`),
      );
      for (const line of lines.sort(naturalCompare)) context.print(line);
      return 0;
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
    return 0;
  },
};
