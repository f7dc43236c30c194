/**
 * The host's resolv.conf as it is now. It is parsed again when the file changed or was replaced by another one, also
 * through a symbolic link, as systemd-resolved and DHCP clients do. While it cannot be read, its last content counts.
 */

import { statSync } from 'node:fs';
import { readIfExists } from '@netyard/kernel';
import { parseResolvConf, type ResolvConf } from '../files/resolv-conf.ts';

export class HostResolvConf {
  readonly #path: string;
  #version = '';
  #content: ResolvConf = parseResolvConf('');

  constructor(path: string) {
    this.#path = path;
  }

  read(): ResolvConf {
    try {
      const version = versionOf(this.#path);
      if (version !== this.#version) {
        this.#content = parseResolvConf(readIfExists(this.#path) ?? '');
        this.#version = version;
      }
    } catch {
      // A loop of links, a directory, a FIFO: names of containers and servers from other settings are answered on.
    }
    return this.#content;
  }
}

function versionOf(path: string): string {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found ? [found.dev, found.ino, found.size, found.mtimeNs, found.ctimeNs].join(' ') : 'none';
}
