/** The links of a container in `docker inspect`. */
import type { TestHost } from './host.ts';

export const linksOf = async (host: TestHost, name: string): Promise<unknown> =>
  JSON.parse(await host.docker('inspect', '-f', '{{json .HostConfig.Links}}', name));
