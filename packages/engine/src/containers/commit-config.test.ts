/** The configuration of committed images, as dockerd 28.5.2 makes it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plainConfig } from '../default-config.ts';
import type { ContainerConfig } from '../model.ts';
import { committedDefaults } from './commit-config.ts';

const container = plainConfig('image', {
  entrypoint: ['/entry'],
  command: ['run'],
  env: ['A=1', 'PATH=/bin'],
  labels: { own: 'yes', tier: 'web' },
  exposed: [{ protocol: 'tcp', port: 80 }],
  workingDirectory: '/w',
  hostname: 'somewhere',
});
const commit = (changes: string[] = [], config?: Partial<ContainerConfig>) =>
  committedDefaults(container, { changes, ...(config ? { config } : {}) });

test('the configuration is the container’s', () => {
  const { entrypoint, command, env, labels, workingDirectory } = commit();
  assert.deepEqual([entrypoint, command], [['/entry'], ['run']]);
  assert.deepEqual([env, labels, workingDirectory], [container.env, container.labels, '/w']);
  assert.equal('hostname' in commit(), false);
});

test('an entrypoint clears the command; without any, the container’s command stays', () => {
  assert.deepEqual(commit(['ENTRYPOINT ["x"]']).command, []);
  assert.deepEqual(commit(['ENTRYPOINT []']), { ...commit(), entrypoint: [], command: ['run'] });
  assert.deepEqual(commit(['CMD []']).command, []);
});

test('a configuration of the request is completed by the container’s', () => {
  const given = { command: ['z'], env: ['A=2', 'N=1'], labels: { tier: 'db' }, entrypoint: undefined };
  const made = commit(['EXPOSE 81'], given);
  assert.deepEqual(made.env, ['A=2', 'N=1', 'PATH=/bin']);
  assert.deepEqual(made.labels, { own: 'yes', tier: 'db' });
  assert.deepEqual([made.entrypoint, made.command], [['/entry'], ['z']]);
  assert.deepEqual(
    made.exposed.map(({ port }) => port),
    [80, 81],
  );
});
