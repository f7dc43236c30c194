/** Opens a capture on what a target means. */
import { NetyardError } from '@netyard/core';
import type { Kernel } from '@netyard/kernel';
import type { CaptureRequest, CaptureSession } from '../capture-contract.ts';
import type { Sandbox } from '../lookup.ts';
import type { PlaceDependencies } from './interface.ts';
import { findInterface } from './interface.ts';

/** What the functions of this file work on. */
export interface CaptureOpenDependencies extends PlaceDependencies {
  readonly kernel: Kernel;
  readonly sandboxes: Map<string, Sandbox>;
}

export async function capture(context: CaptureOpenDependencies, request: CaptureRequest): Promise<CaptureSession> {
  if (request.target === '') throw new NetyardError('invalid', 'a capture needs a target');
  const { ns, ...place } = await findInterface(context, request);
  const { filter, snapLength, count } = request;
  const packets = await context.kernel.capture({
    link: place.link,
    ...(ns === undefined ? {} : { ns }),
    ...(filter === undefined ? {} : { filter }),
    ...(snapLength === undefined ? {} : { snapLength }),
    ...(count === undefined ? {} : { count }),
  });
  return { place, packets, names: containerNames(context) };
}

/** By address; a container with several has its name at each. */
function containerNames({ sandboxes }: CaptureOpenDependencies): CaptureSession['names'] {
  return [...sandboxes.values()].flatMap(({ config: { name }, state }) =>
    (state?.endpoints ?? [])
      .flatMap(({ ipv4Address, ipv6Address }) => [ipv4Address, ipv6Address])
      .filter((address) => address !== '')
      .map((address) => ({ address, name })),
  );
}
