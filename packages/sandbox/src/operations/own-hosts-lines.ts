/** A running container's own lines in its hosts file, which follow its endpoints. Call inside its queue. */
import { messageOf } from '@netyard/core';
import { valuesOf } from '@netyard/network';
import type { EndpointState, SandboxConfig } from '../contract.ts';
import { appendLines, ownNames, removeOwnLines, updateLinkLines } from '../files/hosts.ts';
import { editHosts, type LinkHostsFilesDependencies } from './link-hosts-files.ts';
import { hostnameOf, linkEntries, ownEntries, type Prepared } from './sandbox-plan.ts';

/** Appends the container's own lines; on the default bridge the lines of its links go above them. */
export async function addHostsLines(
  context: LinkHostsFilesDependencies,
  { config }: Prepared,
  endpoint: EndpointState,
): Promise<void> {
  const entries = ownEntries(config, [endpoint]);
  if (entries.length === 0) return;
  const links = endpoint.networkName === 'bridge' ? context.links.ofParent(config.containerId) : [];
  const [own = ''] = ownNames(hostnameOf(config), config.domainname);
  await editOwnHosts(context, config, (before) => {
    const text = appendLines(before, entries);
    return links.reduce((edited, link) => {
      const current = linkEntries(context, link);
      return current.length === 0 ? edited : updateLinkLines(edited, link.alias, current, own);
    }, text);
  });
}

export async function removeHostsLines(
  context: LinkHostsFilesDependencies,
  { config }: Prepared,
  endpoint: EndpointState,
): Promise<void> {
  const [own = ''] = ownNames(hostnameOf(config), config.domainname);
  const addresses = valuesOf(endpoint.addresses).map(({ address }) => address);
  if (addresses.length > 0) await editOwnHosts(context, config, (text) => removeOwnLines(text, own, addresses));
}

/** A failure is logged, not thrown: the endpoint or link has changed already, and the container may have altered the file. */
export async function editOwnHosts(
  context: LinkHostsFilesDependencies,
  config: SandboxConfig,
  edit: (text: string) => string,
): Promise<void> {
  try {
    await editHosts(context, config.containerId, edit);
  } catch (error) {
    context.logger.error('a hosts file could not be updated', { container: config.name, error: messageOf(error) });
  }
}
