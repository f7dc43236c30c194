/** The four hosts of examples/cluster.yaml find each other with etcd. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { bringDown, bringUp, parseLab } from '@netyard/lab';
import { cannotRun } from './support/engines.ts';
import { TestHost, until } from './support/host.ts';

const file = join(import.meta.dirname, '../examples/cluster.yaml');

test('the hosts of examples/cluster.yaml form a cluster', { skip: cannotRun('netyard') }, async () => {
  const definition = { ...parseLab(readFileSync(file, 'utf8'), file), name: `e2e-cluster-${process.pid}` };
  await bringUp(definition, { say: () => {}, signal: new AbortController().signal });
  try {
    for (const host of definition.hosts) {
      const others = definition.hosts.length - 1;
      const lab = new TestHost('netyard', definition.name, host, {});
      const routes = (): Promise<string> => lab.sh('ip route show proto 78');
      await until(
        async () => (await routes()).trim().split('\n').length === others,
        `${host.name} has routes to the others`,
      );
      const ready = async (): Promise<number> =>
        (await lab.netyard('cluster', 'ls')).split('\n').filter((line) => /^node\d .* ready/.test(line)).length;
      await until(async () => (await ready()) === definition.hosts.length, `all hosts are ready for ${host.name}`);
    }
  } finally {
    await bringDown(definition.name);
  }
});
