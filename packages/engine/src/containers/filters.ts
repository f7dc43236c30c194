/** `docker ps --filter`, with moby's order and messages. Pure except for the lookups passed in. */
import { NetyardError } from '@netyard/core';
import type { ContainerSummary, Filters } from '../contract.ts';
import { booleanFilter, checkFilterKeys, matchesKeyValues, patternTest } from '../filters.ts';
import type { ContainerRecord } from '../model.ts';
import { hasProcess } from '../records/container-index.ts';

const keys = [
  'ancestor',
  'before',
  'exited',
  'expose',
  'health',
  'id',
  'is-task',
  'isolation',
  'label',
  'name',
  'network',
  'publish',
  'since',
  'status',
  'volume',
];
const states = ['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead'];
const healthStates = ['none', 'starting', 'healthy', 'unhealthy'];

export interface FilterQuestions {
  /** Throws `not-found`. */
  container(ref: string): ContainerRecord;
  /** Ids of the image and of all images built from it; empty when there is no such image. */
  imageFamily(ref: string): Promise<readonly string[]>;
  networksOf(record: ContainerRecord): readonly { name: string; id: string }[];
}

export type ContainerTest = (summary: ContainerSummary) => boolean;

/** Throws `invalid` for unknown filters and values. */
export async function containerFilter(filters: Filters, ask: FilterQuestions): Promise<ContainerTest> {
  checkFilterKeys(filters, keys);
  const exited = numbers(filters);
  checkValues(filters, 'status', states);
  checkValues(filters, 'health', healthStates);
  const isTask = booleanFilter(filters, 'is-task');
  const before = first(filters, 'before', ask);
  const since = first(filters, 'since', ask);
  const ancestors = filters.has('ancestor') ? await family(filters, ask) : undefined;
  const ports = { publish: portSet(filters, 'publish'), expose: portSet(filters, 'expose') };
  const hasName = nameTest(filters.get('name'));
  return (summary) => {
    const { record } = summary;
    const { status, exitCode, startedAt, health } = record.state;
    if (before !== undefined && record.created >= before.created) return false;
    if (since !== undefined && record.created <= since.created) return false;
    if (isTask === true) return false;
    if (!anyOf(filters.get('id'), (id) => record.id.startsWith(id))) return false;
    if (!hasName(record.name)) return false;
    if (!matchesKeyValues(filters.get('label'), record.config.labels)) return false;
    const hasEnded = startedAt !== undefined && !['running', 'paused', 'restarting'].includes(status);
    if (exited.length > 0 && !(hasEnded && exited.includes(exitCode))) return false;
    if (!anyOf(filters.get('status'), (requested) => requested === status)) return false;
    if (!anyOf(filters.get('health'), (requested) => requested === (health?.status ?? 'none'))) return false;
    if (!anyOf(filters.get('volume'), (requested) => hasVolume(record, requested))) return false;
    if (ancestors && !ancestors.has(record.imageId)) return false;
    if (!anyOf(filters.get('network'), (requested) => isIn(ask.networksOf(record), requested))) return false;
    return matchesPorts(summary, ports);
  };
}

const anyOf = (values: readonly string[] | undefined, test: (value: string) => boolean): boolean =>
  values === undefined || values.length === 0 || values.some(test);

/** The container's own name, with and without its slash; names from links do not count. */
function nameTest(requested: readonly string[] | undefined): (name: string) => boolean {
  const matches = patternTest(requested);
  return (name) => matches(name) || matches(`/${name}`);
}

const hasVolume = (record: ContainerRecord, requested: string): boolean =>
  record.mounts.some((mount) => mount.target === requested || (mount.name ?? mount.source) === requested);

const isIn = (networks: readonly { name: string; id: string }[], requested: string): boolean =>
  networks.some(({ name, id }) => name === requested || (requested !== '' && id.startsWith(requested)));

function numbers(filters: Filters): number[] {
  return (filters.get('exited') ?? []).map((text) => {
    const number = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
    if (Math.abs(number) < 2 ** 63) return number;
    const reason = Number.isNaN(number) ? 'invalid syntax' : 'value out of range';
    throw new NetyardError('invalid', `invalid filter 'exited=${text}': strconv.Atoi: parsing "${text}": ${reason}`);
  });
}

function checkValues(filters: Filters, key: string, allowed: readonly string[]): void {
  for (const value of filters.get(key) ?? [])
    if (!allowed.includes(value))
      throw new NetyardError(
        'invalid',
        `invalid filter '${key}=${value}': invalid value for ${key === 'status' ? 'state' : key} (${value}): must be one of ${allowed.join(', ')}`,
      );
}

function first(filters: Filters, key: string, ask: FilterQuestions): ContainerRecord | undefined {
  const [ref] = filters.get(key) ?? [];
  return ref === undefined ? undefined : ask.container(ref);
}

async function family(filters: Filters, ask: FilterQuestions): Promise<Set<string>> {
  const families = await Promise.all((filters.get('ancestor') ?? []).map((ref) => ask.imageFamily(ref)));
  return new Set(families.flat());
}

/** `80`, `80/udp`, `8000-8010/tcp`; an unknown protocol has no ports. */
function portSet(filters: Filters, key: string): Set<string> | undefined {
  const values = filters.get(key);
  if (values === undefined || values.length === 0) return undefined;
  const ports = new Set<string>();
  for (const value of values) {
    if (value.includes(':')) throw new NetyardError('invalid', `filter for '${key}' should not contain ':': ${value}`);
    const match = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(.*))?$/.exec(value);
    const [low, high] = [Number(match?.[1]), Number(match?.[2] ?? match?.[1])];
    if (!match || high > 65535 || high < low)
      throw new NetyardError('invalid', `error while looking up for ${key} ${value}: invalid port range`);
    for (let port = low; port <= high; port += 1) ports.add(`${port}/${match[3] ?? 'tcp'}`);
  }
  return ports;
}

function matchesPorts(
  { record, network }: ContainerSummary,
  requested: { publish: Set<string> | undefined; expose: Set<string> | undefined },
): boolean {
  const { publish, expose } = requested;
  if (!publish && !expose) return true;
  const published = (network?.ports ?? []).map(({ hostPort, protocol }) => `${hostPort}/${protocol}`);
  // As in Docker: ports that are exposed but not published count while the container has a process.
  const exposed = [
    ...(hasProcess(record) ? record.config.exposed : []).map(({ port, protocol }) => `${port}/${protocol}`),
    ...(network?.ports ?? []).map(({ containerPort, protocol }) => `${containerPort}/${protocol}`),
  ];
  return published.some((port) => publish?.has(port)) || exposed.some((port) => expose?.has(port));
}
