/** Parses image references in short form (distribution/reference). Pure; throws `invalid` with docker's messages. */
import { NetyardError } from '@netyard/core';

export interface ImageReference {
  /** Registry; default `docker.io`. */
  domain: string;
  /** `library/nginx` */
  path: string;
  /** Short form: `nginx`, `registry:5000/team/app`. */
  name: string;
  tag: string | undefined;
  digest: string | undefined;
}

const invalid = (text: string): NetyardError => new NetyardError('invalid', text);
const component = '[a-z0-9]+(?:(?:[._]|__|[-]+)[a-z0-9]+)*';
const pathPattern = new RegExp(`^${component}(?:/${component})*$`);

export function parseReference(text: string): ImageReference {
  if (/^[0-9a-f]{64}$/.test(text)) {
    throw invalid(`invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`);
  }
  const [beforeDigest = '', digest, ...more] = text.split('@');
  if (more.length > 0 || (digest !== undefined && !/^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-fA-F]{32,}$/.test(digest))) {
    throw invalid('invalid reference format');
  }
  const colon = beforeDigest.lastIndexOf(':');
  const hasTag = colon > beforeDigest.lastIndexOf('/');
  const tag = hasTag ? beforeDigest.slice(colon + 1) : undefined;
  const full = hasTag ? beforeDigest.slice(0, colon) : beforeDigest;
  if (tag !== undefined && !/^\w[\w.-]{0,127}$/.test(tag)) throw invalid('invalid reference format');
  const { domain, path } = splitDomain(full);
  if (path.toLowerCase() !== path && pathPattern.test(path.toLowerCase())) {
    throw invalid(`invalid reference format: repository name (${path}) must be lowercase`);
  }
  if (!pathPattern.test(path)) throw invalid('invalid reference format');
  const familiar = domain === 'docker.io' ? path.replace(/^library\//, '') : `${domain}/${path}`;
  return { domain, path, name: familiar, tag, digest };
}

function splitDomain(full: string): { domain: string; path: string } {
  const slash = full.indexOf('/');
  const first = full.slice(0, Math.max(slash, 0));
  const isDomain = slash !== -1 && (/[.:]/.test(first) || first === 'localhost' || first.toLowerCase() !== first);
  if (!isDomain) return { domain: 'docker.io', path: slash === -1 ? `library/${full}` : full };
  if (first === 'docker.io' || first === 'index.docker.io') {
    const rest = full.slice(slash + 1);
    return { domain: 'docker.io', path: rest.includes('/') ? rest : `library/${rest}` };
  }
  return { domain: first, path: full.slice(slash + 1) };
}

/** With `:latest` if it has neither tag nor digest. */
export function familiarText(reference: ImageReference): string {
  if (reference.digest !== undefined) {
    return `${reference.name}${reference.tag ? `:${reference.tag}` : ''}@${reference.digest}`;
  }
  return `${reference.name}:${reference.tag ?? 'latest'}`;
}

/** Key of its credentials in config.json. */
export const authKey = (reference: ImageReference): string =>
  reference.domain === 'docker.io' ? 'https://index.docker.io/v1/' : reference.domain;
