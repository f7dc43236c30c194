/** `capture` on containers and networks of other engines, and on namespaces: without a daemon, in this process. */
import { readFileSync } from 'node:fs';
import { hostname, machine, release } from 'node:os';
import { Duplex } from 'node:stream';
import type { CaptureCall } from '@netyard/client';
import { type CaptureFacts, encodeCapture } from '@netyard/core';
import type { HostTopology } from '@netyard/topology';
import type { Context } from '../program/context.ts';
import { packageVersion } from '../version.ts';
import { requireLocal, surveyOptions, withoutAnswered } from './local.ts';

/**
 * A pcapng stream like that of the daemon: `end()` finishes it, `destroy()` aborts it. `error`: the daemon's answer, thrown
 * when nothing on this host has the name, either.
 */
export async function captureOther(context: Context, call: CaptureCall, error: unknown): Promise<Duplex> {
  requireLocal(context, `netyard capture ${call.target}`, error);
  const { findCapturePlace, observeHost } = await import('@netyard/topology');
  const host = withoutAnswered(await observeHost(surveyOptions(context)), error);
  const place = findCapturePlace(host, call.target, call.link || undefined);
  if (place === undefined) throw error;
  const { openKernel } = await import('@netyard/kernel');
  const kernel = openKernel();
  try {
    const { filter = '', snapLength, count } = call;
    const packets = await kernel.capture({
      ...{ ns: place.ns, link: place.link, filter },
      ...(snapLength === undefined ? {} : { snapLength }),
      ...(count === undefined ? {} : { count }),
    });
    const description = { ...place, place: place.description, filter, names: namesOf(host) };
    const file = encodeCapture(packets, description, readFacts(), context.clock);
    return streamOf(file, { stop: () => packets.stop(), close: () => kernel.close() });
  } catch (failure) {
    kernel.close();
    throw failure;
  }
}

function streamOf(file: AsyncIterator<Uint8Array>, capture: { stop(): void; close(): void }): Duplex {
  return new Duplex({
    read() {
      file.next().then(
        ({ done, value }) => this.push(done ? null : value),
        (error: Error) => this.destroy(error),
      );
    },
    final(done) {
      capture.stop();
      done();
    },
    destroy(error, done) {
      capture.close();
      done(error);
    },
  });
}

const namesOf = ({ containers }: HostTopology): { address: string; name: string }[] =>
  containers.flatMap(({ name, attachments }) =>
    attachments.flatMap(({ addresses }) => addresses.map((prefix) => ({ address: prefix.replace(/\/.*$/, ''), name }))),
  );

function readFacts(): CaptureFacts {
  return {
    ...{ version: packageVersion(), hostname: hostname(), machine: machine(), kernelVersion: release() },
    operatingSystem: readSystemName(),
  };
}

/** See os-release(5). */
function readSystemName(): string {
  try {
    return /^PRETTY_NAME="?(.*?)"?$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'Linux';
  } catch {
    return 'Linux';
  }
}
