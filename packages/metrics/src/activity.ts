/** What the daemon did since its start: durations of actions and of the kernel, repairs, answers to DNS queries. */
import type { Family } from './exposition.ts';
import { CounterSet, Histogram } from './histogram.ts';

/** dockerd's actions of containers, by method and route. */
const containerActions: ReadonlyMap<string, string> = new Map([
  ['GET /containers/:id/changes', 'changes'],
  ['POST /commit', 'commit'],
  ['POST /containers/create', 'create'],
  ['DELETE /containers/:id', 'delete'],
  ['POST /containers/:id/start', 'start'],
]);

/** dockerd's actions of images, and those of archives. */
const imageActions: ReadonlyMap<string, string> = new Map([
  ['DELETE /images/:name', 'delete'],
  ['POST /images/load', 'load'],
  ['POST /images/create', 'pull'],
  ['POST /images/:name/push', 'push'],
]);

/** dockerd's, and `create`, `delete` and `disconnect`. */
export type NetworkAction = 'allocate' | 'connect' | 'create' | 'delete' | 'disconnect' | 'release';
const networkActions: readonly NetworkAction[] = ['allocate', 'connect', 'create', 'delete', 'disconnect', 'release'];

/** IANA's names of the response codes that a server of containers sends; others are `OTHER`. */
const rcodeNames: readonly string[] = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'];

/** An apply takes a millisecond where an action takes a hundred. Seconds. */
const applyBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

export class Activity {
  readonly #containers = new Histogram('action', [...containerActions.values()]);
  readonly #images = new Histogram('action', [...imageActions.values()]);
  readonly #networks = new Histogram('action', networkActions);
  readonly #applies = new Histogram('', [''], applyBuckets);
  readonly #repairs = new CounterSet('kind', []);
  readonly #answers = new CounterSet('rcode', rcodeNames);

  /** A request of the API that has ended. Failed ones do not count, as in dockerd. */
  noteRequest({
    method,
    route,
    status,
    seconds,
  }: {
    method: string;
    route: string;
    status: number;
    seconds: number;
  }): void {
    if (status < 200 || status >= 300) return;
    const container = containerActions.get(`${method} ${route}`);
    if (container !== undefined) this.#containers.observe(container, seconds);
    const image = imageActions.get(`${method} ${route}`);
    if (image !== undefined) this.#images.observe(image, seconds);
  }

  noteNetwork(action: NetworkAction, seconds: number): void {
    this.#networks.observe(action, seconds);
  }

  noteApply(seconds: number): void {
    this.#applies.observe('', seconds);
  }

  /** @param kinds of the repaired objects */
  noteRepairs(kinds: readonly string[]): void {
    for (const kind of kinds) this.#repairs.add(kind);
  }

  noteDnsAnswer(rcode: number): void {
    this.#answers.add(rcodeNames[rcode] ?? 'OTHER');
  }

  families(): Family[] {
    const daemon = 'engine_daemon_';
    return [
      this.#containers.family(`${daemon}container_actions_seconds`, 'Seconds that successful container actions took.'),
      this.#images.family(`${daemon}image_actions_seconds`, 'Seconds that successful image actions took.'),
      this.#networks.family(`${daemon}network_actions_seconds`, 'Seconds that successful network actions took.'),
      this.#applies.family(
        'netyard_apply_seconds',
        'Seconds that applying a plan to the kernel took, also failed ones.',
      ),
      this.#repairs.family(
        'netyard_repairs_total',
        'Kernel objects that another program changed and Netyard repaired.',
      ),
      this.#answers.family('netyard_dns_queries_total', 'Answered DNS queries of containers.'),
    ];
  }
}
