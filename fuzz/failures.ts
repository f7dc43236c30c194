/** Groups responses with status 500 by route and message, and explains which of them Docker returns too. */
import type { FuzzRequest } from './requests.ts';

export interface FailureGroup {
  /** Method and route. */
  route: string;
  /** With ids and numbers replaced, so that one cause has one message. */
  message: string;
  count: number;
  /** Why it is correct; undefined: it is a bug. */
  reason: string | undefined;
  /** The first request and response of the group. */
  example: string;
}

interface Accepted {
  message: RegExp;
  routes: RegExp;
  reason: string;
}

/** dockerd 20.10 returns status 500 for each, unless the reason says otherwise. */
const acceptedFailures: readonly Accepted[] = [
  {
    message: /^(Cannot restart container \S+: )?failed to create task for container: .*OCI runtime create failed: /,
    routes: /^POST \/containers\/:id\/(start|restart)$/,
    reason: 'the OCI runtime cannot create the container, such as a mount on a read-only root',
  },
  {
    message: /^(Cannot restart container \S+: )?failed to set up container networking: sysctl -w .*: EINVAL: /,
    routes: /^POST \/containers\/:id\/(start|restart)$/,
    reason: 'the kernel rejects the value of a sysctl: with dockerd the OCI runtime fails to create the container',
  },
  {
    message:
      /^Cannot update container \w+: .* did not terminate successfully: .*: writing file `[^`]+`: Invalid argument/,
    routes: /^POST \/containers\/:id\/update$/,
    reason: 'the kernel rejects the value of a resource: moby makes it a system error (daemon/update.go)',
  },
  {
    message: /(connect: connection refused|ECONNREFUSED)/,
    routes: /^POST \/(images\/create|images\/:name\/push|auth)$/,
    reason: 'the registry is a closed port on loopback',
  },
  {
    message: /^Container \w+ is not paused$/,
    routes: /^POST \/containers\/:id\/unpause$/,
    reason: 'dockerd 20.10 returns 500 for unpause of a container that is not paused',
  },
  {
    message: /^(Cannot restart container \S+: )?joining network namespace of container: No such container: /,
    routes: /^POST \/containers\/:id\/(start|restart)$/,
    reason: 'the container whose network is shared was removed: moby 25 and later return a system error on purpose',
  },
  {
    message: /^(Cannot restart container \S+: )?Cannot link to a non running container: /,
    routes: /^POST \/(containers\/:id\/(start|restart)|exec\/:id\/start)$/,
    reason: 'moby returns a plain error for a link to a container that does not run (moby#42982)',
  },
  {
    message: /^(Cannot restart container \S+: )?unable to find (user|group) /,
    routes: /^POST \/containers\/:id\/(start|restart)$/,
    reason: 'moby makes every error of the OCI spec a system error on purpose: daemon/start.go, createSpec',
  },
  {
    message: /is not connected to (the )?network/,
    routes: /^POST \/networks\/:id\/disconnect$/,
    reason: 'dockerd 20.10 returns 500 for disconnect of a container that is not connected',
  },
  {
    message: /^Conflict, cannot remove the default link name of the container/,
    routes: /^DELETE \/containers\/:id$/,
    reason: 'moby returns a plain error for `rm --link` with a name without a parent: daemon/delete.go, rmLink',
  },
];

const names = /\b(c[0-3]|n[01]|v[01])\b/g;

/** Replaces ids and numbers. Pure. */
export const generalise = (message: string): string =>
  message
    .replace(/\b[0-9a-f]{64}\b/g, 'ID')
    .replace(/\b[0-9a-f]{12}\b/g, 'ID')
    .replace(names, 'NAME')
    .replace(/\d+/g, 'N')
    .slice(0, 300);

export class Failures {
  readonly #groups = new Map<string, FailureGroup>();

  add({ route: { method, path } }: FuzzRequest, message: string, example: string): void {
    const route = `${method} ${path}`;
    const general = generalise(message);
    const key = `${route}\n${general}`;
    const known = this.#groups.get(key);
    if (known) known.count += 1;
    else this.#groups.set(key, { route, message: general, count: 1, reason: reasonOf(route, message), example });
  }

  /** Most frequent first. */
  groups(): FailureGroup[] {
    return [...this.#groups.values()].sort((a, b) => b.count - a.count);
  }
}

const reasonOf = (route: string, message: string): string | undefined =>
  acceptedFailures.find((known) => known.routes.test(route) && known.message.test(message))?.reason;
