/** Opens a packet capture on the interface that a target resolves to. */
import { NetyardError } from '@netyard/core';
import type { Kernel } from '@netyard/kernel';
import { valuesOf } from '@netyard/network';
import type { CaptureRequest, CaptureSession } from '../capture-contract.ts';
import type { Sandbox } from '../lookup.ts';
import { findInterface, type InterfaceDependencies } from './interface.ts';

/** Dependencies of the functions in this file. */
export interface CaptureOpenDependencies extends InterfaceDependencies {
  readonly kernel: Kernel;
  readonly sandboxes: Map<string, Sandbox>;
}

export async function capture(context: CaptureOpenDependencies, request: CaptureRequest): Promise<CaptureSession> {
  if (request.target === '') throw new NetyardError('invalid', 'a capture needs a target');
  const { ns, ...source } = await findInterface(context, request);
  const { filter, snapLength, count } = request;
  const packets = await context.kernel.capture({
    link: source.link,
    ...(ns === undefined ? {} : { ns }),
    ...(filter === undefined ? {} : { filter }),
    ...(snapLength === undefined ? {} : { snapLength }),
    ...(count === undefined ? {} : { count }),
  });
  return { source, packets, names: containerNames(context) };
}

/** By address; a container with several addresses is listed once for each. */
function containerNames({ sandboxes }: CaptureOpenDependencies): CaptureSession['names'] {
  return [...sandboxes.values()].flatMap(({ config: { name }, state }) =>
    (state?.endpoints ?? []).flatMap(({ addresses }) => valuesOf(addresses)).map(({ address }) => ({ address, name })),
  );
}
