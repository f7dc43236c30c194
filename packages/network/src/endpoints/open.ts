/** Binds the operations on attached endpoints to the `Endpoints` interface. */
import type { Endpoints } from '../contract.ts';
import { attach, detach } from './attach.ts';
import { type AttachedDependencies, attachedOf } from './attached.ts';
import { check } from './check.ts';
import { publish, unpublish } from './publish.ts';

export function openEndpoints(context: AttachedDependencies): Endpoints {
  return {
    list: () => [...context.attached.values()],
    get: (ref) => attachedOf(context, ref),
    attach: (request) => attach(context, request),
    detach: (ref) => detach(context, ref),
    publish: (ref, request) => publish(context, ref, request),
    unpublish: (ref, port) => unpublish(context, ref, port),
    check: (ref) => check(context, ref),
  };
}
