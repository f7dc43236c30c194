/** The links that inspect shows of a container. */
import type { TestHost } from './host.ts';

export const linksOf = async (host: TestHost, name: string): Promise<unknown> =>
  JSON.parse(await host.docker('inspect', '-f', '{{json .HostConfig.Links}}', name));
