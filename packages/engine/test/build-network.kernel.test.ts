/** The network namespace of a build is deleted, however its build or its daemon ended. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { createNetns, listNetns, netnsPath } from '@netyard/kernel';
import { inFreshHost } from '@netyard/testkit';
import { type BuildDependencies, buildImage, removeBuildLeftovers } from '../src/build/build-image.ts';
import type { BuildOptions } from '../src/contract.ts';
import type { BuildWorkspace } from '../src/ports.ts';

const host = inFreshHost(import.meta.url);

type Endpoints = BuildDependencies['networks']['endpoints'];

const namesOfNamespaces = (): string[] => listNetns().map(({ name }) => name);

/** Endpoints with these names; `detach` removes them. */
function endpointsNamed(...names: string[]) {
  const present = new Set(names);
  const methods = {
    list: () => [...present].map((name) => ({ name })),
    attach: async ({ name }: { name: string }) => void present.add(name),
    detach: async (name: string) => void present.delete(name),
  };
  return { present, methods };
}

function dependencies(methods: object, builder: object): BuildDependencies {
  const networks = { endpoints: methods as Endpoints };
  return { networks, builder, images: {} } as unknown as BuildDependencies;
}

test('a build deletes its namespace even if its endpoint cannot be detached', host, async () => {
  const { methods } = endpointsNamed();
  const failure = new Error('the store is full');
  const during: string[] = [];
  const workspace: Partial<BuildWorkspace> = {
    id: '01',
    unpack: async () => undefined,
    readFile: async () => 'FROM scratch\nUSER 1\n',
    build: async () => {
      during.push(...namesOfNamespaces());
      return `sha256:${'0'.repeat(64)}`;
    },
    close: async () => undefined,
  };
  const context = dependencies({ ...methods, detach: () => Promise.reject(failure) }, { open: async () => workspace });
  const options: Partial<BuildOptions> = {
    ...{ tags: [], dockerfile: '', target: '', networkMode: '', quiet: false, pull: false },
    ...{ buildArgs: new Map(), labels: {}, extraHosts: [] },
  };
  const build = async () => {
    const lines = buildImage(context, Readable.from([]), options as BuildOptions, new AbortController().signal);
    for await (const _line of lines);
  };
  await assert.rejects(build(), failure);
  assert.deepEqual(during, ['netyard-build-01']);
  assert.deepEqual(namesOfNamespaces(), []);
});

test('a start deletes namespaces of builds, with and without an endpoint, and no others', host, async () => {
  for (const name of ['netyard-build-02', 'netyard-build-03', 'other']) createNetns(netnsPath(name));
  const { methods, present } = endpointsNamed('netyard-build-02', 'netyard-build-04', 'attached');
  let cleaned = false;
  const builder = {
    removeLeftovers: async () => {
      cleaned = true;
    },
  };
  await removeBuildLeftovers(dependencies(methods, builder));
  assert.deepEqual(namesOfNamespaces(), ['other']);
  assert.deepEqual([...present], ['attached']);
  assert.ok(cleaned);
});
