/** What a container's configuration takes from its image and from the daemon's defaults. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plainConfig } from '../default-config.ts';
import { parseImageConfig } from '../images/image-config.ts';
import type { ContainerConfig } from '../model.ts';
import { mergeConfig } from './create-config.ts';

const settings = { logDriver: 'json-file', logOptions: {}, shmSize: 1, cgroupVersion: '2' } as const;
const system = { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] } };
const imageWith = (config: object) => parseImageConfig(new TextEncoder().encode(JSON.stringify({ ...system, config })));

const merged = (change: Partial<ContainerConfig>, image: object = {}): ContainerConfig =>
  mergeConfig(plainConfig('a', { command: ['b'], ...change }), imageWith(image), settings);

test('a container that is privileged or in a namespace of the host has no label, unless it was given one', () => {
  const options = (change: Partial<ContainerConfig>): string[] => merged(change).securityOptions;
  assert.deepEqual(options({}), []);
  assert.deepEqual(options({ privileged: true }), ['label=disable']);
  assert.deepEqual(options({ pidMode: 'host' }), ['label=disable']);
  const given = ['no-new-privileges'];
  assert.deepEqual(options({ ipcMode: 'host', securityOptions: given }), [...given, 'label=disable']);
  assert.deepEqual(options({ privileged: true, securityOptions: ['label=type:a'] }), ['label=type:a']);
});

test('keys of exposed ports stay as the request and the image have them', () => {
  const tcp = (port: number) => ({ port, protocol: 'tcp' as const });
  const exposed = (change: Partial<ContainerConfig>, ...keys: string[]) => {
    const config = merged(change, { ExposedPorts: Object.fromEntries(keys.map((key) => [key, {}])) });
    return [config.exposed, config.exposedKeys];
  };
  assert.deepEqual(exposed({ exposed: [tcp(80)] }, '90/tcp'), [[tcp(80), tcp(90)], undefined]);
  assert.deepEqual(exposed({ exposed: [tcp(80)] }, '80', '90/tcp'), [
    [tcp(80), tcp(90)],
    ['80/tcp', '80', '90/tcp'],
  ]);
  assert.deepEqual(exposed({ exposed: [tcp(80)], exposedKeys: ['80'] }, '80/tcp'), [[tcp(80)], ['80', '80/tcp']]);
});
