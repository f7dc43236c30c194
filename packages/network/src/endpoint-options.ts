/** Docker's driver options of endpoints: their names, and the settings of the interface. Pure. */
import type { EndpointConfig } from './contract.ts';

export const interfaceNameOption = 'com.docker.network.endpoint.ifname';
export const endpointSysctlsOption = 'com.docker.network.endpoint.sysctls';

type Options = Pick<EndpointConfig, 'driverOptions'>;

const sysctlTexts = ({ driverOptions }: Options): string[] => {
  const text = driverOptions?.[endpointSysctlsOption];
  return text === undefined ? [] : text.split(',');
};

/** `net.ipv4.conf.IFNAME.proxy_arp=1,…`, without those that are invalid. */
export const endpointSysctls = (options: Options): { key: string; value: string }[] =>
  sysctlTexts(options)
    .filter((text) => findSysctlProblem(text) === undefined)
    .map((text) => {
      const [key = '', ...value] = text.split('=');
      return { key, value: value.join('=') };
    });

export const findSysctlProblems = (options: Options): string[] =>
  sysctlTexts(options).flatMap((text) => findSysctlProblem(text) ?? []);

/** In Docker's words. The docker CLI sends `ifname`. */
function findSysctlProblem(text: string): string | undefined {
  const [net, family = '', table, link = '', rest] = splitAtDots(text, 5);
  const isKnown = ['ipv4', 'ipv6', 'mpls'].includes(family) && ['IFNAME', 'ifname'].includes(link);
  if (rest === undefined || !isKnown)
    return `unrecognised network interface sysctl '${text}'; represent 'net.X.Y.ethN.Z=V' as 'net.X.Y.IFNAME.Z=V', 'X' must be 'ipv4', 'ipv6' or 'mpls'`;
  if (!rest.includes('=')) return `expected sysctl '${text}' to have format name=value`;
  const isKey = net === 'net' && [table, rest.split('=')[0]].every((part) => /^\w+$/.test(part ?? ''));
  return isKey ? undefined : `expected sysctl '${text}' to have format net.X.Y.IFNAME.Z`;
}

/** The last part has the dots that remain. */
function splitAtDots(text: string, count: number): string[] {
  const parts = text.split('.');
  return [...parts.slice(0, count - 1), ...(parts.length < count ? [] : [parts.slice(count - 1).join('.')])];
}

/** Whether the interface has no IPv6, whatever the network has. */
export const disablesIpv6 = (options: Options): boolean =>
  endpointSysctls(options).some(
    ({ key, value }) => key.toLowerCase() === 'net.ipv6.conf.ifname.disable_ipv6' && value.trim() === '1',
  );
