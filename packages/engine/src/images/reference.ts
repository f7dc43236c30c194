/**
 * Image names as Docker parses and shows them: `nginx` is docker.io/library/nginx:latest and is shown as
 * `nginx:latest`. Grammar and messages: github.com/distribution/reference. Pure.
 */
import { isFullId, NetyardError } from '@netyard/core';
import { digestProblem } from './digest.ts';

export interface ImageReference {
  /** `docker.io`, or host and optional port. */
  domain: string;
  /** `library/nginx` */
  path: string;
  tag: string | undefined;
  /** `sha256:…` */
  digest: string | undefined;
}

const defaultDomain = 'docker.io';
const officialPrefix = 'library/';
const longestName = 255;

const domainComponent = '[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?';
const domainPattern = new RegExp(`^(?:${domainComponent}(?:\\.${domainComponent})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?$`);
const pathComponent = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const pathPattern = new RegExp(`^${pathComponent}(?:/${pathComponent})*$`);
const tagPattern = /^\w[\w.-]{0,127}$/;
const digestPattern = /^[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}$/;

const invalid = (text = ''): NetyardError =>
  new NetyardError('invalid', `invalid reference format${text === '' ? '' : `: ${text}`}`);

/** Parses `[DOMAIN/]PATH[:TAG][@DIGEST]`. Throws `invalid` with Docker's message. */
export function parseReference(text: string): ImageReference {
  if (isFullId(text)) {
    throw new NetyardError('invalid', `invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`);
  }
  const { domain, rest } = splitDomain(text);
  const remote = rest.split(':', 1)[0] ?? '';
  if (remote.toLowerCase() !== remote) throw invalid(`repository name (${remote}) must be lowercase`);
  const [named = '', digest, ...more] = rest.split('@');
  const colon = named.indexOf(':');
  const path = colon < 0 ? named : named.slice(0, colon);
  const tag = colon < 0 ? undefined : named.slice(colon + 1);
  const wellFormed =
    more.length === 0 &&
    domainPattern.test(domain) &&
    pathPattern.test(path) &&
    (tag === undefined || tagPattern.test(tag)) &&
    (digest === undefined || digestPattern.test(digest));
  if (!wellFormed) throw invalid();
  const problem = digest === undefined ? undefined : digestProblem(digest);
  if (problem !== undefined) throw new NetyardError('invalid', problem);
  if (path.length > longestName) {
    throw new NetyardError('invalid', `repository name must not be more than ${longestName} characters`);
  }
  return { domain, path, tag, digest };
}

/** `sha256:` and 64 digits, or a digest with another algorithm that Docker knows. */
export const isDigest = (text: string): boolean => digestProblem(text) === undefined;

/** Splits `localhost:5000/a/b` into host and remainder; without a host it is Docker's. */
function splitDomain(text: string): { domain: string; rest: string } {
  const slash = text.indexOf('/');
  if (slash < 0) return { domain: defaultDomain, rest: `${officialPrefix}${text}` };
  const first = text.slice(0, slash);
  const after = text.slice(slash + 1);
  const isHost = first === 'localhost' || /[.:]/.test(first) || first.toLowerCase() !== first;
  const domain = !isHost || first === 'index.docker.io' ? defaultDomain : first;
  const rest = isHost ? after : text;
  return { domain, rest: domain === defaultDomain && !rest.includes('/') ? `${officialPrefix}${rest}` : rest };
}

/** Adds `:latest` when it has neither tag nor digest. */
export function withDefaultTag(reference: ImageReference): ImageReference {
  return reference.tag === undefined && reference.digest === undefined ? { ...reference, tag: 'latest' } : reference;
}

/** The name without tag as Docker shows it: `nginx`, `user/app`, `localhost:5000/app`. */
export function familiarName(reference: ImageReference): string {
  if (reference.domain !== defaultDomain) return canonicalName(reference);
  const short = reference.path.slice(officialPrefix.length);
  return reference.path.startsWith(officialPrefix) && !short.includes('/') ? short : reference.path;
}

/** Docker's short form with tag and digest, if any. */
export function familiarString(reference: ImageReference): string {
  return familiarName(reference) + suffixOf(reference);
}

/** `docker.io/library/nginx` */
export function canonicalName(reference: ImageReference): string {
  return `${reference.domain}/${reference.path}`;
}

export function canonicalString(reference: ImageReference): string {
  return canonicalName(reference) + suffixOf(reference);
}

const suffixOf = ({ tag, digest }: ImageReference): string =>
  (tag === undefined ? '' : `:${tag}`) + (digest === undefined ? '' : `@${digest}`);

/** Combines a repository and a tag, as in the API, to a reference. Throws `invalid`. */
export function referenceOf(repository: string, tag: string): ImageReference {
  const reference = parseReference(repository);
  if (reference.digest !== undefined)
    throw new NetyardError('invalid', 'refusing to create a tag with a digest reference');
  if (tag === '') return withDefaultTag(reference);
  if (!tagPattern.test(tag)) throw new NetyardError('invalid', 'invalid tag format');
  return { ...reference, tag };
}
