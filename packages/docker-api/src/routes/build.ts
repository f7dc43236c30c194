/** Docker's classic builder: POST /build. BuildKit's routes answer how to select it. */
import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { NetyardError } from '@netyard/core';
import { type BuildOptions, formatPlatform, isSamePlatform, parsePlatform } from '@netyard/engine';
import { z } from 'zod';
import { readRegistryConfig } from '../http/credentials.ts';
import { sendJson } from '../http/json-answer.ts';
import { readBoolean, readFilters, readInteger } from '../http/query.ts';
import { uploadOf } from '../http/request-body.ts';
import type { RequestContext } from '../http/request-context.ts';
import { type Handler, type Route, route } from '../http/router.ts';
import type { ApiOptions } from '../options.ts';
import { serveProgress } from '../stream/progress.ts';

export function buildRoutes(options: ApiOptions): Route[] {
  return [
    route('POST', '/build', build(options)),
    route('POST', '/build/prune', prune(options)),
    route('POST', '/session', noBuildKit),
    route('POST', '/grpc', noBuildKit),
  ];
}

function noBuildKit(): never {
  throw new NetyardError('not-implemented', 'Netyard has no BuildKit', {
    hint: 'set the environment variable DOCKER_BUILDKIT=0 to use the classic builder',
  });
}

const pruneFilters = [
  'description',
  'id',
  'inuse',
  'label',
  'label!',
  'parent',
  'private',
  'shared',
  'type',
  'unused-for',
  'until',
];

/** `docker system prune` calls it. There is no build cache. */
function prune({ engine }: ApiOptions): Handler {
  return (exchange) => {
    const unknown = [...readFilters(exchange.query).keys()].find((key) => !pruneFilters.includes(key));
    if (unknown !== undefined) {
      throw new NetyardError('invalid', `failed to prune build cache: invalid filter '${unknown}'`);
    }
    engine.events.publish({ type: 'builder', action: 'prune', actorId: '', attributes: { reclaimed: '0' } });
    sendJson(exchange, 200, { CachesDeleted: null, SpaceReclaimed: 0 });
  };
}

function build(options: ApiOptions): Handler {
  return async (exchange) => {
    const { request } = exchange;
    let upload: Readable | undefined;
    try {
      const call = readOptions(exchange, options.info.machine);
      upload = uploadOf(request);
      await serveProgress(exchange, options.engine.build(upload, call, exchange.signal));
    } catch (error) {
      // The docker CLI reads the response only after it has sent the whole build context.
      request.unpipe();
      upload?.destroy();
      if (!request.destroyed && !request.complete) await finished(request.resume()).catch(() => undefined);
      throw error;
    }
  };
}

function readOptions(exchange: RequestContext, machine: string): BuildOptions {
  const { query, request } = exchange;
  const given = (name: string): string => query.get(name) ?? '';
  if (given('version') === '2') noBuildKit();
  rejectUnsupported(query, machine);
  const buildArgs = readJsonText(given('buildargs'), 'build args', z.record(z.string(), z.string().nullable()));
  return {
    tags: query.getAll('t'),
    dockerfile: given('dockerfile') === 'Dockerfile' ? '' : given('dockerfile'),
    target: given('target'),
    // A build argument without a value is one that the client's environment does not have.
    buildArgs: new Map(
      Object.entries(buildArgs ?? {}).flatMap(([name, value]) => (value === null ? [] : [[name, value]])),
    ),
    labels: readJsonText(given('labels'), 'labels', z.record(z.string(), z.string())) ?? {},
    networkMode: given('networkmode'),
    extraHosts: query.getAll('extrahosts').filter((host) => host !== ''),
    limits: readLimits(query),
    pull: readBoolean(query, 'pull'),
    quiet: readBoolean(query, 'q'),
    credentials: readRegistryConfig(request),
  };
}

const ulimitsSchema = z.array(z.object({ Name: z.string(), Soft: z.int(), Hard: z.int() }));

function readLimits(query: URLSearchParams): BuildOptions['limits'] {
  const whole = (name: string): number => readInteger(query, name) ?? 0;
  const ulimits = readJsonText(query.get('ulimits') ?? '', 'ulimit settings', ulimitsSchema) ?? [];
  return {
    memory: whole('memory'),
    memorySwap: whole('memswap'),
    cpuShares: whole('cpushares'),
    cpuPeriod: whole('cpuperiod'),
    cpuQuota: whole('cpuquota'),
    cpusetCpus: query.get('cpusetcpus') ?? '',
    cpusetMems: query.get('cpusetmems') ?? '',
    shmSize: whole('shmsize'),
    ulimits: ulimits.map(({ Name, Soft, Hard }) => ({ name: Name, soft: Soft, hard: Hard })),
  };
}

function readJsonText<T>(text: string, what: string, schema: z.ZodType<T>): T | undefined {
  if (text === '' || text === 'null') return undefined;
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw new NetyardError('invalid', `error reading ${what}: invalid JSON`, { cause });
  }
}

/** Parameters that have no effect here, each with its reason. */
function rejectUnsupported(query: URLSearchParams, machine: string): void {
  const absent = (message: string, hint: string): NetyardError =>
    new NetyardError('not-implemented', message, { hint });
  if (query.get('remote')) {
    throw absent("Netyard's build does not fetch remote contexts", 'fetch it first and pass its directory');
  }
  if (readBoolean(query, 'squash')) {
    throw new NetyardError('invalid', 'squash is only supported with experimental mode');
  }
  const securityOptions = query.get('securityopt') ?? '';
  if (!['', '[]', 'null'].includes(securityOptions)) {
    throw new NetyardError('invalid', 'security options are not supported on linux');
  }
  if (query.get('cgroupparent')) throw absent("Netyard's build does not support --cgroup-parent", 'omit it');
  if (query.get('outputs'))
    throw absent("Netyard's build does not support --output", 'use `docker save` or `docker cp`');
  checkPlatform(query.get('platform') ?? '', machine);
}

/** Throws `invalid` for a text that is no platform. */
function checkPlatform(platform: string, machine: string): void {
  const own = parsePlatform(`linux/${machine}`, { os: 'linux', architecture: machine });
  if (platform === '' || isSamePlatform(parsePlatform(platform, own), own)) return;
  throw new NetyardError(
    'not-implemented',
    `Netyard builds images for ${formatPlatform(own)} only, not for ${platform}`,
    {
      hint: 'build the image on a machine of that platform',
    },
  );
}
