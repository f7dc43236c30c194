/** The files below /etc that contain a lab host's own name and those of its neighbours. Pure. */
import { formatIp, parsePrefix } from '@netyard/core';
import type { LabDefinition, LabHost } from './definition.ts';

/** Maps file names below /etc to contents. */
export function hostFiles(lab: LabDefinition, host: LabHost): Record<string, string> {
  const neighbours = lab.hosts.flatMap((other) =>
    other.uplinks.map((uplink) => `${formatIp(parsePrefix(uplink.address))}\t${other.name}`),
  );
  const hosts = ['127.0.0.1\tlocalhost', '::1\tlocalhost ip6-localhost ip6-loopback', ...neighbours];
  return {
    hosts: `${hosts.join('\n')}\n`,
    hostname: `${host.name}\n`,
    'resolv.conf': '# A lab has no name server.\n',
  };
}
