/** Docker's routes for volumes. */
import { volumeCreate } from '@netyard/api-types';
import { readJson } from '../http/body.ts';
import { sendJson } from '../http/json-answer.ts';
import { LazyList } from '../http/json-pieces.ts';
import { readBoolean, readFilters } from '../http/query.ts';
import { sendEmpty } from '../http/request-context.ts';
import { type Route, route } from '../http/router.ts';
import type { ApiOptions } from '../options.ts';
import { acceptFields } from '../schemas/accept-fields.ts';
import { volumeCreateSchema } from '../schemas/bodies.ts';
import { translateVolume } from '../translate/volume.ts';
import { speaks } from '../versions.ts';
import { reference } from './reference.ts';

export function volumeRoutes({ engine: { volumes } }: ApiOptions): Route[] {
  return [
    route('GET', '/volumes', async (exchange) => {
      const records = await volumes.list(readFilters(exchange.query));
      sendJson(exchange, 200, { Volumes: new LazyList(records, translateVolume), Warnings: null });
    }),
    route('GET', '/volumes/:name', async (exchange) => {
      sendJson(exchange, 200, translateVolume(await volumes.get(reference(exchange, 'name'))));
    }),
    route('POST', '/volumes/create', async (exchange) => {
      const given = await readJson(exchange.request, volumeCreateSchema);
      const { body } = acceptFields(volumeCreate, given, exchange.version);
      const record = await volumes.create({
        name: body.Name,
        driver: body.Driver,
        options: body.DriverOpts,
        labels: body.Labels,
      });
      sendJson(exchange, 201, translateVolume(record));
    }),
    route('DELETE', '/volumes/:name', async (exchange) => {
      await volumes.remove(reference(exchange, 'name'), readBoolean(exchange.query, 'force'));
      sendEmpty(exchange, 204);
    }),
    route('POST', '/volumes/prune', async (exchange) => {
      const filters = readFilters(exchange.query);
      // Older clients expect that volumes with names are pruned, too; they have no filter for it.
      const all = speaks(exchange.version, 42) ? filters : new Map([['all', ['true']], ...filters]);
      const { deleted, reclaimed } = await volumes.prune(all);
      sendJson(exchange, 200, { VolumesDeleted: deleted, SpaceReclaimed: reclaimed });
    }),
  ];
}
