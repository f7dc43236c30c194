/** Opens a capture on what a target means. */
import { NetyardError } from '@netyard/core';
import type { Context } from '../context.ts';
import type { CaptureRequest, CaptureSession } from './contract.ts';
import { findPlace } from './place.ts';

export async function capture(context: Context, request: CaptureRequest): Promise<CaptureSession> {
  if (request.target === '') throw new NetyardError('invalid', 'a capture needs a target');
  const { ns, ...place } = await findPlace(context, request);
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
function containerNames({ sandboxes }: Context): CaptureSession['names'] {
  return [...sandboxes.values()].flatMap(({ config: { name }, state }) =>
    (state?.endpoints ?? [])
      .flatMap(({ ipv4Address, ipv6Address }) => [ipv4Address, ipv6Address])
      .filter((address) => address !== '')
      .map((address) => ({ address, name })),
  );
}
