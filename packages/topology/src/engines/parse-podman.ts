/** What `podman inspect` and `podman network ls --format json` print; Podman's API has the same containers. Pure. */
import { formatIp, formatPrefix, tryParseIp, tryParsePrefix } from '@netyard/core';
import { listOf, objectOf, textEntries, textOf, withoutUndefined } from '../json.ts';
import type { HostNetwork } from '../model.ts';
import { parseInspect } from './parse-container.ts';
import type { EngineContainer } from './report.ts';

/** Undefined without an id. Podman's own format names the image elsewhere than Docker's. */
export function parsePodmanInspect(value: unknown): EngineContainer | undefined {
  const container = parseInspect('podman', value);
  const image = textOf(objectOf(value)['ImageName']);
  return container && { ...container, ...(image === undefined ? {} : { image }) };
}

/** Undefined without an id or a name. */
export function parsePodmanNetwork(value: unknown): HostNetwork | undefined {
  const network = objectOf(value);
  const [id, name] = [textOf(network['id']), textOf(network['name'])];
  if (id === undefined || name === undefined) return undefined;
  const options = textEntries(network['options']);
  const mtu = Number(options['mtu']);
  const optional: Partial<HostNetwork> = withoutUndefined({
    link: textOf(network['network_interface']),
    mtu: Number.isInteger(mtu) && mtu > 0 ? mtu : undefined,
  });
  return {
    ...{ engine: 'podman', id, name, driver: textOf(network['driver']) ?? '' },
    subnets: listOf(network['subnets']).flatMap((each) => {
      const { subnet: prefix = '', gateway = '' } = textEntries(each);
      const [subnet, ip] = [tryParsePrefix(prefix), tryParseIp(gateway)];
      if (subnet === undefined) return [];
      return [{ subnet: formatPrefix(subnet), ...(ip === undefined ? {} : { gateway: formatIp(ip) }) }];
    }),
    ...{ internal: network['internal'] === true, icc: true, options, ...optional },
  };
}
