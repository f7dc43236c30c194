/** Netyard's own routes: explain, topology and clean-up. */

import { sendJson } from '../http/json-answer.ts';
import { readBoolean } from '../http/query.ts';
import { sendText } from '../http/request-context.ts';
import { type Route, route } from '../http/router.ts';
import type { ApiOptions } from '../options.ts';
import { translatePlan } from '../translate/plan.ts';
import { reference } from './reference.ts';

export function netyardRoutes({ engine, networks, shell }: ApiOptions): Route[] {
  return [
    route('GET', '/netyard/v1/explain/:ref', (exchange) => {
      const ref = reference(exchange, 'ref');
      const plan = networks.explain(ref);
      if (exchange.query.get('format') === 'sh')
        return sendText(exchange, 200, 'text/x-shellscript', shell.printPlan(plan));
      sendJson(exchange, 200, translatePlan(ref, plan, shell));
    }),
    route('GET', '/netyard/v1/topology', (exchange) => {
      sendJson(exchange, 200, networks.topology());
    }),
    route('GET', '/netyard/v1/checks', async (exchange) => {
      const checks = await networks.inspect();
      const translated = checks.map(({ id, grade, text, fix }) => ({
        Id: id,
        Grade: grade,
        Text: text,
        Fix: fix ?? '',
      }));
      sendJson(exchange, 200, { Checks: translated });
    }),
    route('POST', '/netyard/v1/cleanup', async (exchange) => {
      const dryRun = readBoolean(exchange.query, 'dryRun');
      const unknownData = readBoolean(exchange.query, 'unknownData');
      sendJson(exchange, 200, { DryRun: dryRun, Removed: await engine.system.cleanup({ dryRun, unknownData }) });
    }),
  ];
}
