/** Docker's routes for images. */
import { isNetyardError, NetyardError } from '@netyard/core';
import type { Platform, Progress, RegistryCredentials } from '@netyard/engine';
import { readJson, readOptionalJson } from '../http/body.ts';
import { credentialsSchema, readCredentials, translateCredentials } from '../http/credentials.ts';
import { sendJson } from '../http/json-answer.ts';
import { LazyList } from '../http/json-pieces.ts';
import { parsePlatformJson, readPlatform } from '../http/platform.ts';
import { readBoolean, readFilters } from '../http/query.ts';
import { uploadOf } from '../http/request-body.ts';
import { type RequestContext, sendEmpty } from '../http/request-context.ts';
import { type Handler, type Route, route } from '../http/router.ts';
import type { ApiOptions } from '../options.ts';
import { acceptFields } from '../schemas/accept-fields.ts';
import { commitFields, commitSchema } from '../schemas/bodies.ts';
import { serveProgress } from '../stream/progress.ts';
import { readConfig } from '../translate/config-fields.ts';
import {
  translateDeleted,
  translateHistory,
  translateImageInspect,
  translateImageSummary,
} from '../translate/image.ts';
import { sendTar } from './container-archive.ts';
import { reference } from './reference.ts';

export function imageRoutes(options: ApiOptions): Route[] {
  const { images } = options.engine;
  return [
    route('GET', '/images/json', list(options)),
    route('GET', '/images/:name/json', async (exchange) => {
      const { platform } = platformOption(exchange);
      if (platform && readBoolean(exchange.query, 'manifests')) {
        throw new NetyardError('invalid', 'conflicting options: manifests and platform options cannot both be set');
      }
      const record = await images.get(reference(exchange, 'name'), platform);
      sendJson(exchange, 200, translateImageInspect(record, exchange.version, exchange.request.headers['user-agent']));
    }),
    route('GET', '/images/:name/history', async (exchange) => {
      const steps = await images.history(reference(exchange, 'name'), platformOption(exchange).platform);
      sendJson(exchange, 200, steps.map(translateHistory));
    }),
    route('POST', '/images/:name/tag', async (exchange) => {
      const { query } = exchange;
      await images.tag(reference(exchange, 'name'), query.get('repo') ?? '', query.get('tag') || 'latest');
      sendEmpty(exchange, 201);
    }),
    route('DELETE', '/images/:name', async (exchange) => {
      const { query } = exchange;
      const name = reference(exchange, 'name');
      if (name.trim() === '') throw new NetyardError('invalid', 'image name cannot be blank');
      const removed = await images.remove(name, {
        force: readBoolean(query, 'force'),
        noPrune: readBoolean(query, 'noprune'),
        platforms: query.getAll('platforms').map(parsePlatformJson),
      });
      sendJson(exchange, 200, removed.map(translateDeleted));
    }),
    route('POST', '/images/prune', async (exchange) => {
      const { deleted, reclaimed } = await images.prune(readFilters(exchange.query));
      sendJson(exchange, 200, {
        ImagesDeleted: deleted.length > 0 ? deleted.map(translateDeleted) : null,
        SpaceReclaimed: reclaimed,
      });
    }),
    route('POST', '/commit', commit(options)),
    ...archiveRoutes(options),
    ...registryRoutes(options),
    ...absentRoutes(),
  ];
}

function platformOption({ query }: RequestContext): { platform?: Platform } {
  const platform = readPlatform(query);
  return platform ? { platform } : {};
}

function list({ engine }: ApiOptions): Handler {
  return async (exchange) => {
    const { query } = exchange;
    const filters = new Map(readFilters(query));
    // API versions before 1.41 have a separate parameter.
    const old = query.get('filter');
    if (old) filters.set('reference', [...(filters.get('reference') ?? []), old]);
    const found = await engine.images.list({
      all: readBoolean(query, 'all'),
      filters,
      digests: readBoolean(query, 'digests'),
    });
    const translate = ({ record }: (typeof found)[number]): unknown =>
      translateImageSummary({ record, containers: -1 }, exchange.version);
    sendJson(exchange, 200, new LazyList(found, translate));
  };
}

function commit({ engine: { containers } }: ApiOptions): Handler {
  return async (exchange) => {
    const { query, request, version, signal } = exchange;
    const { body } = acceptFields(commitFields, await readOptionalJson(request, commitSchema), version);
    const commitOptions = {
      repository: query.get('repo') ?? '',
      tag: query.get('tag') ?? '',
      comment: query.get('comment') ?? '',
      author: query.get('author') ?? '',
      pause: query.get('pause') === '' || readBoolean(query, 'pause', true),
      changes: query.getAll('changes'),
      ...(body.hasNoConfig ? {} : { config: readConfig(body) }),
    };
    const id = await containers.commit(query.get('container') ?? '', commitOptions, signal);
    sendJson(exchange, 201, { Id: id });
  };
}

function archiveRoutes({ engine: { images } }: ApiOptions): Route[] {
  return [
    route('POST', '/images/load', async (exchange) => {
      const options = { quiet: readBoolean(exchange.query, 'quiet'), ...platformOption(exchange) };
      await serveProgress(exchange, images.load(uploadOf(exchange.request), options), { alwaysOk: true });
    }),
    route('GET', '/images/get', async (exchange) => {
      await sendTar(exchange, await images.save(exchange.query.getAll('names'), platformOption(exchange)), {});
    }),
    route('GET', '/images/:name/get', async (exchange) => {
      await sendTar(exchange, await images.save([reference(exchange, 'name')], platformOption(exchange)), {});
    }),
  ];
}

function registryRoutes(options: ApiOptions): Route[] {
  const { images } = options.engine;
  return [
    route('POST', '/images/create', async (exchange) => {
      const { query } = exchange;
      if (query.get('fromSrc')) return importImage(options, exchange);
      if (!query.get('fromImage')) throw new NetyardError('invalid', 'fromImage or fromSrc must be given');
      await pull(options, exchange);
    }),
    route('POST', '/auth', logIn(options)),
    route('POST', '/images/:name/push', async (exchange) => {
      const tag = exchange.query.get('tag') ?? '';
      const credentials = readCredentials(exchange.request);
      const { signal } = exchange;
      const name = reference(exchange, 'name');
      await serveProgress(exchange, images.push(name, tag, credentials, signal, platformOption(exchange)));
    }),
  ];
}

/** The CLI sends the server's name as in its config file: `https://index.docker.io/v1/`, `registry:5000`. */
function logIn({ login }: ApiOptions): Handler {
  return async (exchange) => {
    const credentials = translateCredentials(await readJson(exchange.request, credentialsSchema));
    const server = credentials.serverAddress ?? '';
    const host = server.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
    if (!/^[\w.-]*(:\d+)?$|^\[[\da-f:]+\](:\d+)?$/i.test(host))
      throw new NetyardError('invalid', `invalid registry name: ${host}`);
    await login(host === '' || host === 'index.docker.io' ? 'docker.io' : host, credentials, exchange.signal);
    sendJson(exchange, 200, { Status: 'Login Succeeded', IdentityToken: '' });
  };
}

async function pull({ engine }: ApiOptions, exchange: RequestContext): Promise<void> {
  const { query, request, signal } = exchange;
  const image = query.get('fromImage') ?? '';
  const credentials: RegistryCredentials = readCredentials(request);
  const options = { platform: query.get('platform') ?? '' };
  const progress = engine.images.pull(image, query.get('tag') ?? '', credentials, signal, options);
  await serveProgress(exchange, withHint(progress, engine.containers, image));
}

async function* withHint(
  progress: AsyncIterable<Progress>,
  containers: ApiOptions['engine']['containers'],
  image: string,
): AsyncGenerator<Progress> {
  try {
    yield* progress;
  } catch (error) {
    throw isNetyardError(error) ? await hintAtContainer(containers, image, error) : error;
  }
}

/** Adds a hint when the image reference is the name of a container: `docker run -it nginx-1 bash`. */
async function hintAtContainer(
  containers: ApiOptions['engine']['containers'],
  image: string,
  error: NetyardError,
): Promise<NetyardError> {
  const name = image.replace(/^docker\.io\/library\//, '');
  try {
    await containers.inspect(name, { size: false });
  } catch {
    return error; // not a container either
  }
  const hint = `${name} is a container; run a command in it with \`docker exec -it ${name} bash\``;
  return new NetyardError(error.code, error.message, { hint, cause: error });
}

async function importImage({ engine }: ApiOptions, exchange: RequestContext): Promise<void> {
  const { query, request } = exchange;
  if (query.get('fromSrc') !== '-')
    throw new NetyardError('not-implemented', 'Netyard does not import images from a URL', {
      hint: 'download the archive and import the file',
    });
  const platform = query.get('platform') ?? '';
  const source = engine.images.import(uploadOf(request), {
    repository: query.get('repo') ?? '',
    tag: query.get('tag') ?? '',
    message: query.get('message') ?? '',
    changes: query.getAll('changes'),
    ...(platform === '' ? {} : { platform }),
  });
  await serveProgress(exchange, source);
}

/** Routes of Docker that Netyard does not implement answer so, rather than with `page not found`. */
function absentRoutes(): Route[] {
  const absent = (what: string, hint: string): Handler => {
    return () => {
      throw new NetyardError('not-implemented', `Netyard does not ${what}`, { hint });
    };
  };
  return [
    route('GET', '/images/search', absent('search registries', 'search on the website of the registry')),
    route('GET', '/distribution/:name/json', absent('inspect images in registries', 'pull the image first')),
  ];
}
