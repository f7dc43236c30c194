/** Parses the three forms of `--link`: `target`, `target:alias` and the stored `/target:/parent/alias`. Pure. */
import { NetyardError } from '@netyard/core';

export interface LinkRequest {
  /** Name, id or id prefix, or `parent/alias`; without the leading slash of the stored form. */
  target: string;
  alias: string;
}

/** Throws `invalid`. An alias becomes part of a hosts line and of a name, so it contains neither blanks nor slashes. */
export function parseLink(text: string): LinkRequest {
  if (text === '') throw new NetyardError('invalid', 'empty string specified for links');
  const [target = '', alias, ...rest] = text.split(':');
  const bad = (): NetyardError => new NetyardError('invalid', `bad format for links: ${text}`);
  if (rest.length > 0) throw bad();
  const request =
    alias === undefined
      ? { target, alias: target.slice(target.lastIndexOf('/') + 1) }
      : target.startsWith('/')
        ? { target: target.slice(1), alias: alias.slice(alias.lastIndexOf('/') + 1) }
        : { target, alias };
  if (request.target === '' || !/^[^\s/#\p{Cc}]+$/u.test(request.alias)) throw bad();
  return request;
}

/** `/parent/alias` or `parent/alias`; undefined when there is no parent part. */
export function splitLinkName(name: string): { parent: string; alias: string } | undefined {
  const match = /^\/?([^/]+)\/([^/]+)$/.exec(name);
  return match?.[1] === undefined || match[2] === undefined ? undefined : { parent: match[1], alias: match[2] };
}
