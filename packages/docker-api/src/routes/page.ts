/** Netyard's own route for access to the topology page: each client of this API may open the page. */
import { formatTime, NetyardError } from '@netyard/core';
import { sendJson } from '../http/json-answer.ts';
import { type Route, route } from '../http/router.ts';
import type { ApiOptions } from '../options.ts';

export function pageRoutes({ page }: ApiOptions): Route[] {
  return [
    route('POST', '/netyard/v1/page', (exchange) => {
      if (!page)
        throw new NetyardError('conflict', 'this daemon serves no topology page', {
          hint: 'start it with --web 127.0.0.1:7420',
        });
      const { url, expires } = page.issue();
      sendJson(exchange, 201, { Url: url, Expires: formatTime(expires) });
    }),
  ];
}
