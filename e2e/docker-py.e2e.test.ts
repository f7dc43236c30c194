/**
 * docker-py, the library of Python programs (Debian's python3-docker): e2e/sdk/docker_py.py runs in a lab host.
 * NETYARD_SDKS=DIR names the folder that `script/unpack-sdks DIR` filled.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { cannotRun, enginesUnderTest } from './support/engines.ts';
import { openHost, type TestHost } from './support/host.ts';

const sdks = process.env['NETYARD_SDKS'] ?? '';
const missing = !existsSync(join(sdks, 'complete')) && 'NETYARD_SDKS names no folder that script/unpack-sdks filled';

for (const engine of enginesUnderTest())
  describe(`docker-py on ${engine}`, { skip: cannotRun(engine) || missing }, () => {
    let host: TestHost;

    before(async () => {
      host = await openHost(engine, { images: ['netyard-test', 'nginx-web01'] });
    });
    after(async () => {
      await host?.close();
    });

    test('the life of containers, networks, volumes and images', async () => {
      const program = join(import.meta.dirname, 'sdk/docker_py.py');
      const environment = {
        PYTHONPATH: join(sdks, 'python/usr/lib/python3/dist-packages'),
        PYTHONDONTWRITEBYTECODE: '1',
      };
      const { status, stdout, stderr } = await host.run(['/usr/bin/python3', '-W', 'ignore', program, '-v'], {
        environment,
      });
      assert.equal(status, 0, stdout + stderr);
      assert.match(stderr, /^Ran 1[5-9] tests/m);
      assert.equal(await host.docker('ps', '-aq'), '');
      assert.equal(await host.docker('network', 'ls', '-q', '--filter', 'type=custom'), '');
      assert.equal(await host.docker('volume', 'ls', '-q'), '');
    });
  });
