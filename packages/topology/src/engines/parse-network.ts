/** Networks as `GET /networks` of the Docker Engine API describes them; and who answers, by `GET /version`. Pure. */
import { formatIp, formatPrefix, tryParseIp, tryParsePrefix } from '@netyard/core';
import { listOf, objectOf, textEntries, textOf, withoutUndefined } from '../json.ts';
import type { EngineKind, HostNetwork } from '../model.ts';

const prefixOfOptions = 'com.docker.network.';

/** Undefined without an id or a name. */
export function parseNetwork(engine: EngineKind, value: unknown): HostNetwork | undefined {
  const network = objectOf(value);
  const [id, name, driver] = [textOf(network['Id']), textOf(network['Name']), textOf(network['Driver']) ?? ''];
  if (id === undefined || name === undefined) return undefined;
  const options = textEntries(network['Options']);
  const mtu = Number(options[`${prefixOfOptions}driver.mtu`] ?? options['mtu']);
  const optional: Partial<HostNetwork> = withoutUndefined({
    link: linkOf(engine, id, driver, options),
    mtu: Number.isInteger(mtu) && mtu > 0 ? mtu : undefined,
  });
  return {
    // Podman's API gives its default network the name of Docker's.
    ...{ engine, id, name: engine === 'podman' && name === 'bridge' ? 'podman' : name, driver },
    subnets: listOf(objectOf(network['IPAM'])['Config']).flatMap((config) => parseSubnet(config) ?? []),
    internal: network['Internal'] === true,
    icc: options[`${prefixOfOptions}bridge.enable_icc`] !== 'false',
    ...{ options, ...optional },
  };
}

/** Docker and Netyard name a bridge after the network's id. Podman's API does not say which it is. */
function linkOf(
  engine: EngineKind,
  id: string,
  driver: string,
  options: Readonly<Record<string, string>>,
): string | undefined {
  const named = options[`${prefixOfOptions}bridge.name`] ?? options['parent'];
  if (named !== undefined) return named;
  return driver === 'bridge' && engine !== 'podman' ? `br-${id.slice(0, 12)}` : undefined;
}

function parseSubnet(value: unknown): HostNetwork['subnets'][number] | undefined {
  const config = objectOf(value);
  const subnet = tryParsePrefix(textOf(config['Subnet']) ?? '');
  if (subnet === undefined) return undefined;
  // Docker writes the gateway of a default network's IPv6 subnet with its length.
  const gateway = tryParseIp((textOf(config['Gateway']) ?? '').replace(/\/\d+$/, ''));
  return { subnet: formatPrefix(subnet), ...(gateway === undefined ? {} : { gateway: formatIp(gateway) }) };
}

/** Undefined for an answer that is none of an engine. */
export function parseVersion(value: unknown): { kind: EngineKind; version: string } | undefined {
  const answer = objectOf(value);
  const version = textOf(answer['Version']);
  if (version === undefined || textOf(answer['ApiVersion']) === undefined) return undefined;
  const components = listOf(answer['Components']).map((component) => textOf(objectOf(component)['Name']) ?? '');
  if (components.some((name) => name.startsWith('Podman'))) return { kind: 'podman', version };
  const isNetyard = textOf(objectOf(answer['Platform'])['Name']) === 'Netyard';
  return { kind: isNetyard ? 'netyard' : 'docker', version };
}
