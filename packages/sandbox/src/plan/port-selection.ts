/** Finds the ports of a container that a request to remove ports means. Pure. */
import { NetyardError } from '@netyard/core';
import { formatPortRequest } from '@netyard/network';
import type { PortRequest, PortSelector, PublishedPort, SandboxConfig } from '../contract.ts';

/** One requested port, and what is published for it while the container runs. */
interface Entry {
  request: PortRequest | undefined;
  published: PublishedPort[];
}

export interface SelectedPorts {
  requests: PortRequest[];
  published: PublishedPort[];
}

/** Throws `not-found` for a port that is not published, `conflict` for one of `-P`, which the next start would publish again. */
export function selectPorts(
  { name, ports }: Pick<SandboxConfig, 'name' | 'ports'>,
  published: readonly PublishedPort[],
  selectors: readonly PortSelector[],
): SelectedPorts {
  const entries = assign(ports, published);
  const selected = new Set<Entry>();
  for (const selector of selectors) {
    const found = entries.filter((entry) => matches(entry, selector));
    const text = formatPortRequest(selector);
    if (found.length === 0) throw new NetyardError('not-found', `container ${name} does not publish port ${text}`);
    if (found.some(({ request }) => request === undefined))
      throw new NetyardError('conflict', `port ${text} of container ${name} is published by --publish-all`);
    for (const entry of found) selected.add(entry);
  }
  const chosen = [...selected];
  return {
    requests: chosen.flatMap(({ request }) => request ?? []),
    published: chosen.flatMap((entry) => entry.published),
  };
}

/** Requests for one host port first: a range, or any port, may have been satisfied by any of several. */
function assign(requests: readonly PortRequest[], published: readonly PublishedPort[]): Entry[] {
  const entries: Entry[] = requests.map((request) => ({ request, published: [] }));
  const byWidth = entries.toSorted(
    (a, b) => widthOf(a.request) - widthOf(b.request) || opennessOf(a.request) - opennessOf(b.request),
  );
  for (const port of published) {
    const suitable = byWidth.filter(({ request }) => request !== undefined && satisfies(port, request));
    const entry =
      suitable.find((one) => isOtherAddress(one, port)) ?? suitable.find((one) => one.published.length === 0);
    if (entry) entry.published.push(port);
    else entries.push({ request: undefined, published: [port] });
  }
  return entries;
}

const widthOf = (request: PortRequest | undefined): number => {
  const { hostPort = 0, hostPortEnd = hostPort } = request ?? {};
  return hostPort === 0 ? Number.POSITIVE_INFINITY : hostPortEnd - hostPort;
};

/** Requests for one address first: others may have been published at any. */
const opennessOf = (request: PortRequest | undefined): number => Number((request?.hostAddress ?? '') === '');

/** One request can be published at several addresses, with one port. */
const isOtherAddress = ({ published }: Entry, { hostPort, hostAddress }: PublishedPort): boolean =>
  published.length > 0 && published.every((one) => one.hostPort === hostPort && one.hostAddress !== hostAddress);

const isSamePort = (a: PortRequest | PublishedPort, b: PortRequest): boolean =>
  a.protocol === b.protocol && a.containerPort === b.containerPort;

function satisfies(port: PublishedPort, request: PortRequest): boolean {
  const address = request.hostAddress ?? '';
  return isSamePort(port, request) && (address === '' || address === port.hostAddress) && isInRange(port, request);
}

/** Ports of routed networks have no host port. */
function isInRange({ hostPort }: PublishedPort, request: PortRequest): boolean {
  const { hostPort: first = 0, hostPortEnd: last = first } = request;
  return hostPort === 0 || first === 0 || (hostPort >= first && hostPort <= last);
}

function matches({ request, published }: Entry, selector: PortSelector): boolean {
  if (request && isSame(request, selector)) return true;
  const isOpen = (selector.hostPort ?? 0) === 0 && (selector.hostAddress ?? '') === '';
  if (isOpen && request) return isSamePort(request, selector);
  return published.some((port) => satisfies(port, selector)) && !published.every(({ hostPort }) => hostPort === 0);
}

const isSame = (a: PortRequest, b: PortRequest): boolean =>
  isSamePort(a, b) &&
  addressOf(a) === addressOf(b) &&
  (a.hostPort ?? 0) === (b.hostPort ?? 0) &&
  (a.hostPortEnd ?? a.hostPort) === (b.hostPortEnd ?? b.hostPort);

const addressOf = ({ hostAddress = '' }: PortRequest): string => (hostAddress === '0.0.0.0' ? '' : hostAddress);
