/** Opens the listener of the topology page. */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { NetyardError, reasonOf } from '@netyard/core';
import type { DaemonInfo, PageAccess } from '@netyard/docker-api';
import {
  createWebServer,
  hostNames,
  loopbackHosts,
  type OwnAddresses,
  openFeed,
  openQueries,
  type PageSources,
  readPageFiles,
  Sessions,
} from '@netyard/web';
import { type BrowserListener, listenForBrowsers } from './listen.ts';
import type { WebConfig } from './web-address.ts';

/** Built by `script/build-page`. */
const pageFolder = join(import.meta.dirname, '../../page/dist');

export interface OpenedPage extends PageAccess {
  /** Such as `http://127.0.0.1:7420`. */
  address: string;
  close(): Promise<void>;
}

export async function openPage(config: WebConfig, sources: PageSources & { info: DaemonInfo }): Promise<OpenedPage> {
  const { clock, logger } = sources;
  const sessions = new Sessions(clock);
  const names = config.tls ? readCertificateNames(config.tls.certificate) : [];
  let own: OwnAddresses = { scheme: 'http', hosts: new Set() };
  const options = {
    own: () => own,
    sessions,
    files: readPageFiles(pageFolder),
    feed: openFeed(sources),
    queries: openQueries(sources),
    actions: config.actions,
    clock,
    logger,
  };
  const listener = await listenForBrowsers((tls) => createWebServer(options, tls), config, config.tls);
  own = ownAddresses(config, names, listener);
  const [name = config.host] = names;
  const address = `${own.scheme}://${name.includes(':') ? `[${name}]` : name}:${listener.port}`;
  const issue = (): { url: string; expires: bigint } => {
    const { token, expires } = sessions.issueToken();
    return { url: `${address}/#token=${token}`, expires };
  };
  return { address, issue, close: () => listener.close() };
}

function ownAddresses(config: WebConfig, names: readonly string[], { port }: BrowserListener): OwnAddresses {
  if (config.tls) return { scheme: 'https', hosts: hostNames([...names, config.host], 'https', port) };
  return { scheme: 'http', hosts: loopbackHosts(config.host, port) };
}

/** Names and addresses for which the certificate is valid: `DNS:host1, IP Address:10.0.0.1`. */
function readCertificateNames(path: string): string[] {
  try {
    const { subjectAltName = '' } = new X509Certificate(readFileSync(path));
    return subjectAltName.split(', ').flatMap((entry) => {
      const [, name] = /^(?:DNS|IP Address):([^*]+)$/.exec(entry) ?? [];
      return name === undefined ? [] : [name];
    });
  } catch (error) {
    throw new NetyardError('invalid', `cannot read the certificate ${path}: ${reasonOf(error)}`, { cause: error });
  }
}
