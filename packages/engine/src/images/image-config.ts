/**
 * An image's configuration blob (OCI image-spec config.md; Docker adds Healthcheck and Shell) and what the engine
 * stores of it. Pure.
 */
import { isNetyardError, NetyardError } from '@netyard/core';
import type { ExposedPort } from '@netyard/network';
import { z } from 'zod';
import { goNumber, goObject, goText, goTexts } from '../go-object.ts';
import type { ImageConfig } from '../model.ts';
import { digestProblem } from './digest.ts';
import { normalizeTime } from './image-time.ts';
import { parseJson } from './json.ts';

/** Old images have a command that is one text. */
const words = z
  .union([z.array(goText), z.string().transform((word) => [word])])
  .nullish()
  .transform((list) => list ?? []);
const set = z
  .record(z.string(), z.unknown())
  .nullish()
  .transform((entries) => Object.keys(entries ?? {}));

/** Empty when it is absent. */
const time = z
  .string()
  .nullish()
  .transform((given, context) => {
    const parsed = given === null || given === undefined ? '' : normalizeTime(given);
    if (parsed === undefined)
      context.addIssue({ code: 'custom', message: `cannot parse ${JSON.stringify(given)} as a time of RFC 3339` });
    return parsed ?? '';
  });
const diffId = z.string().transform((digest, context) => {
  const problem = digestProblem(digest) ?? (digest.startsWith('sha256:') ? undefined : 'unsupported digest algorithm');
  if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
  return digest;
});

const configSchema = goObject({
  architecture: goText,
  os: goText,
  variant: goText,
  author: goText,
  created: time,
  config: goObject({
    Env: goTexts,
    Entrypoint: words,
    Cmd: words,
    WorkingDir: goText,
    User: goText,
    ExposedPorts: set,
    Volumes: set,
    Labels: z
      .record(z.string(), goText)
      .nullish()
      .transform((labels) => labels ?? {}),
    StopSignal: goText,
    Shell: words,
    OnBuild: goTexts,
    Healthcheck: goObject({
      Test: goTexts,
      Interval: goNumber,
      Timeout: goNumber,
      StartPeriod: goNumber,
      StartInterval: goNumber,
      Retries: goNumber,
    }).nullish(),
  }).nullish(),
  rootfs: goObject({ type: z.literal('layers'), diff_ids: z.array(diffId).nullish() }).nullish(),
  history: z
    .array(
      goObject({
        created: time,
        created_by: goText,
        author: goText,
        comment: goText,
        empty_layer: z.boolean().nullish(),
      }),
    )
    .nullish()
    .transform((list) => list ?? []),
});

const cannotLoad = (os: string): string => `cannot load ${os} image on linux`;

/**
 * Throws `invalid`: not JSON, no rootfs, too many layers, an image for another operating system.
 * @param describeForeignSystem the message for the latter: that of a pull differs
 */
export function parseImageConfig(bytes: Uint8Array, describeForeignSystem = cannotLoad): ImageConfig {
  const raw = parseJson(configSchema, bytes, 'invalid image: its configuration');
  if (raw.os !== '' && raw.os !== 'linux') {
    throw new NetyardError('invalid', describeForeignSystem(raw.os));
  }
  if (!raw.rootfs) throw new NetyardError('invalid', 'invalid rootfs in image configuration');
  const diffIds = raw.rootfs.diff_ids ?? [];
  if (diffIds.length > longestChain) throw new NetyardError('invalid', 'max depth exceeded');
  const filled = raw.history.filter((entry) => !entry.empty_layer).length;
  if (filled > diffIds.length) {
    throw new NetyardError('invalid', 'too many non-empty layers in History section');
  }
  return {
    architecture: raw.architecture,
    os: raw.os === '' ? 'linux' : raw.os,
    ...given('variant', raw.variant),
    ...given('author', raw.author),
    ...given('created', raw.created),
    ...processDefaults(raw.config ?? undefined),
    diffIds,
    history: raw.history.map((entry) => ({
      ...given('created', entry.created),
      ...given('createdBy', entry.created_by),
      ...given('author', entry.author),
      ...given('comment', entry.comment),
      ...(entry.empty_layer ? { emptyLayer: true } : {}),
    })),
  };
}

/** Docker's limit: an overlay mount cannot have more. */
export const longestChain = 125;

function given<K extends string>(key: K, value: string): { [P in K]?: string } {
  return value === '' ? {} : ({ [key]: value } as { [P in K]?: string });
}

type RawProcess = NonNullable<z.infer<typeof configSchema>['config']>;

function processDefaults(
  raw: RawProcess | undefined,
): Omit<ImageConfig, 'architecture' | 'os' | 'variant' | 'author' | 'created' | 'diffIds' | 'history'> {
  const health = raw?.Healthcheck;
  return {
    env: raw?.Env ?? [],
    entrypoint: raw?.Entrypoint ?? [],
    command: raw?.Cmd ?? [],
    workingDirectory: raw?.WorkingDir ?? '',
    user: raw?.User ?? '',
    ...exposedOf(raw?.ExposedPorts ?? []),
    volumes: raw?.Volumes ?? [],
    labels: raw?.Labels ?? {},
    stopSignal: raw?.StopSignal ?? '',
    ...(raw && raw.Shell.length > 0 ? { shell: raw.Shell } : {}),
    ...(raw && raw.OnBuild.length > 0 ? { onBuild: raw.OnBuild } : {}),
    ...(health
      ? {
          healthcheck: {
            test: health.Test,
            intervalNanoseconds: health.Interval,
            timeoutNanoseconds: health.Timeout,
            startPeriodNanoseconds: health.StartPeriod,
            ...(health.StartInterval > 0 ? { startIntervalNanoseconds: health.StartInterval } : {}),
            retries: health.Retries,
          },
        }
      : {}),
  };
}

function exposedOf(keys: readonly string[]): Pick<ImageConfig, 'exposed' | 'exposedKeys'> {
  const exposed = keys.flatMap(knownPort);
  const isUsual = keys.every((key, index) => key === `${exposed[index]?.port}/${exposed[index]?.protocol}`);
  return { exposed, ...(isUsual ? {} : { exposedKeys: [...keys] }) };
}

/** What is no port makes no image unusable, as in Docker: no container can publish it. */
function knownPort(spec: string): ExposedPort[] {
  try {
    return [parseExposedPort(spec)];
  } catch (error) {
    if (isNetyardError(error, 'invalid')) return [];
    throw error;
  }
}

/** `80`, `80/tcp`, `53/udp`. Throws `invalid`. */
export function parseExposedPort(spec: string): ExposedPort {
  const match = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/i.exec(spec);
  const port = Number(match?.[1]);
  if (!match || port < 1 || port > 65535) throw new NetyardError('invalid', `Invalid containerPort: ${spec}`);
  return { port, protocol: (match[2]?.toLowerCase() ?? 'tcp') as ExposedPort['protocol'] };
}

/** Encodes a configuration that `import` or `commit` creates. The key order is fixed: same values, same digest. */
export function encodeImageConfig(config: ImageConfig): Uint8Array {
  const listed = (names: readonly string[]): Record<string, object> | undefined =>
    names.length === 0 ? undefined : Object.fromEntries(names.map((name) => [name, {}]));
  const some = <T>(list: readonly T[]): readonly T[] | undefined => (list.length === 0 ? undefined : list);
  const health = config.healthcheck;
  const json = {
    architecture: config.architecture,
    os: config.os,
    variant: config.variant,
    author: config.author,
    created: config.created,
    config: {
      Env: some(config.env),
      Entrypoint: some(config.entrypoint),
      Cmd: some(config.command),
      WorkingDir: config.workingDirectory || undefined,
      User: config.user || undefined,
      ExposedPorts: listed(config.exposedKeys ?? config.exposed.map(({ port, protocol }) => `${port}/${protocol}`)),
      Volumes: listed(config.volumes),
      Labels: Object.keys(config.labels).length > 0 ? config.labels : undefined,
      StopSignal: config.stopSignal || undefined,
      Shell: config.shell,
      OnBuild: config.onBuild,
      Healthcheck: health && {
        Test: health.test,
        Interval: health.intervalNanoseconds,
        Timeout: health.timeoutNanoseconds,
        StartPeriod: health.startPeriodNanoseconds,
        StartInterval: health.startIntervalNanoseconds || undefined,
        Retries: health.retries,
      },
    },
    rootfs: { type: 'layers', diff_ids: config.diffIds },
    history: config.history.map((entry) => ({
      created: entry.created,
      created_by: entry.createdBy,
      author: entry.author,
      comment: entry.comment,
      empty_layer: entry.emptyLayer,
    })),
  };
  return Buffer.from(JSON.stringify(json));
}
