/**
 * Programs with the SDKs that users have drive the engine through its socket. NETYARD_SDKS=DIR names the folder that
 * `script/unpack-sdks DIR` filled. With NETYARD_E2E_ENGINES=dockerd the same programs run on Docker.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { cannotRun, enginesUnderTest } from './support/engines.ts';
import { openHost, type TestHost, until } from './support/host.ts';
import { loadProgram } from './support/program-image.ts';

const sdks = process.env['NETYARD_SDKS'] ?? '';
const compose = process.env['NETYARD_COMPOSE'] ?? '';
const missing = !existsSync(join(sdks, 'complete')) && 'NETYARD_SDKS names no folder that script/unpack-sdks filled';

for (const engine of enginesUnderTest())
  describe(`SDKs on ${engine}`, { skip: cannotRun(engine) || missing }, () => {
    let host: TestHost;

    before(async () => {
      host = await openHost(engine, { images: ['nginx-web01', 'nginx-app01', 'netyard-test'] });
    });
    after(async () => {
      await host?.close();
    });

    test('Testcontainers, whose reaper removes what a program leaves behind', async () => {
      const image = 'reaper:test';
      // The image has the label by which the reaper does not remove itself.
      await loadProgram([host], { image, program: 'ryuk', port: 8080, labels: { 'org.testcontainers.ryuk': 'true' } });
      const program = join(import.meta.dirname, 'sdk/testcontainers.cjs');
      const result = await host.run(
        ['env', '-u', 'NODE_TEST_CONTEXT', process.execPath, '--test', '--test-reporter=tap', program],
        {
          environment: {
            NODE_PATH: join(sdks, 'node_modules'),
            RYUK_CONTAINER_IMAGE: image,
            TESTCONTAINERS_RYUK_RECONNECTION_TIMEOUT: '1s',
            // The machine that runs the tests may itself be a container.
            TESTCONTAINERS_HOST_OVERRIDE: 'localhost',
            ...(compose === '' ? {} : { DOCKER_CONFIG: join(compose, 'config') }),
          },
        },
      );
      assert.equal(result.status, 0, result.stdout + result.stderr);
      assert.match(result.stdout, /^# pass 1[0-9]$/m);
      await until(async () => (await host.docker('ps', '-aq')) === '', 'the reaper removes the containers and itself');
      assert.equal(await host.docker('network', 'ls', '--format', '{{.Name}}', '--filter', 'type=custom'), '');
      assert.equal(await host.docker('volume', 'ls', '-q'), 'kept');
      await host.docker('volume', 'rm', 'kept');
    });
  });
