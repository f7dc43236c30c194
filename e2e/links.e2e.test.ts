/** The commands of the tutorial's chapters 2 and 3: containers that reach each other by name and by alias. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { linksOf } from './support/container-links.ts';
import { cannotRun, enginesUnderTest } from './support/engines.ts';
import { openHost, type TestHost, until } from './support/host.ts';
import { hostsFile } from './support/hosts-file.ts';

/** Docker writes several links in any order. */
const byAlias = (a: string, b: string): number => (a.split('\t')[1] ?? '').localeCompare(b.split('\t')[1] ?? '');

for (const engine of enginesUnderTest())
  describe(`links on ${engine}`, { skip: cannotRun(engine) }, () => {
    let host: TestHost;
    const shortIds = new Map<string, string>();
    const short = (name: string): string => shortIds.get(name) ?? assert.fail(`${name} was not started`);
    const hosts = (name: string): Promise<string> => host.output('docker', 'exec', name, 'cat', '/etc/hosts');
    const run = async (name: string, ...args: string[]): Promise<void> => {
      const id = await host.docker('run', ...args);
      assert.match(id, /^[0-9a-f]{64}$/);
      shortIds.set(name, id.slice(0, 12));
    };
    /** Repeated until the server listens. */
    const page = async (from: string, url: string): Promise<string> => {
      let shown = '';
      await until(async () => {
        const { status, stdout } = await host.tryDocker('exec', from, 'wget', '-qO-', url);
        shown = stdout;
        return status === 0;
      }, `${url} answers ${from}`);
      return shown;
    };

    before(async () => {
      host = await openHost(engine, { images: ['nginx-web01', 'nginx-web02', 'nginx-app01'] });
    });
    after(() => host.close());

    test('docker run --name nginx-1 -d -p 8801:80 nginx-web01 nginx', async () => {
      await run('nginx-1', '--name', 'nginx-1', '-d', '-p', '8801:80', 'nginx-web01', 'nginx');
      assert.equal(await hosts('nginx-1'), hostsFile([['172.17.0.2', short('nginx-1')]]));
    });

    test('docker run -d --name nginx-2 --link nginx-1 -p 8802:80 nginx-web02 nginx', async () => {
      const untouched = await hosts('nginx-1');
      await run('nginx-2', '-d', '--name', 'nginx-2', '--link', 'nginx-1', '-p', '8802:80', 'nginx-web02', 'nginx');
      assert.equal(
        await hosts('nginx-2'),
        hostsFile([
          ['172.17.0.2', `nginx-1 ${short('nginx-1')}`],
          ['172.17.0.3', short('nginx-2')],
        ]),
      );
      assert.equal(await hosts('nginx-1'), untouched, 'the target gets no line');
      assert.match(await host.docker('exec', 'nginx-2', 'ping', '-c', '2', '-i', '0.2', 'nginx-1'), / 0% packet loss/);
      assert.match(await page('nginx-2', 'http://nginx-1/'), /nginx-web01/);
    });

    test('docker run -d --name nginx-3 --link nginx-1:web1 -p 8803:80 nginx-app01 nginx', async () => {
      await run(
        'nginx-3',
        '-d',
        '--name',
        'nginx-3',
        '--link',
        'nginx-1:web1',
        '-p',
        '8803:80',
        'nginx-app01',
        'nginx',
      );
      assert.equal(
        await hosts('nginx-3'),
        hostsFile([
          ['172.17.0.2', `web1 ${short('nginx-1')} nginx-1`],
          ['172.17.0.4', short('nginx-3')],
        ]),
      );
      assert.match(
        await host.docker('exec', 'nginx-3', 'ping', '-c', '2', '-i', '0.2', 'web1'),
        /PING web1 \(172\.17\.0\.2\)/,
      );
      assert.match(await page('nginx-3', 'http://web1/'), /nginx-web01/);
    });

    test('published ports answer on the host: 8801, 8802, 8803', async () => {
      for (const [port, image] of [
        ['8801', 'nginx-web01'],
        ['8802', 'nginx-web02'],
        ['8803', 'nginx-app01'],
      ] as const)
        assert.match(
          await host.sh(`curl -s --retry 20 --retry-connrefused http://172.16.2.101:${port}/`),
          new RegExp(image),
        );
    });

    test('docker network list prints the predefined networks', async () => {
      const lines = (await host.docker('network', 'list')).split('\n').map((line) => line.trim().split(/ {2,}/));
      assert.deepEqual(lines[0], ['NETWORK ID', 'NAME', 'DRIVER', 'SCOPE']);
      assert.deepEqual(
        lines.slice(1).map((line) => line.slice(1).join(' ')),
        ['bridge bridge local', 'host host local', 'none null local'],
      );
      for (const line of lines.slice(1)) assert.match(line[0] ?? '', /^[0-9a-f]{12}$/);
    });

    test('inspect shows links, and the link name selects the target', async () => {
      assert.deepEqual(await linksOf(host, 'nginx-3'), ['/nginx-1:/nginx-3/web1']);
      const names = await host.docker('ps', '--no-trunc', '--filter', 'name=nginx-1', '--format', '{{.Names}}');
      assert.deepEqual(names.split('\n')[0]?.split(',').sort(), ['nginx-1', 'nginx-2/nginx-1', 'nginx-3/web1']);
      assert.equal(await host.docker('inspect', '-f', '{{.Name}}', 'nginx-3/web1'), '/nginx-1');
    });

    test('an alias is kept when its target is renamed', async () => {
      await host.docker('rename', 'nginx-1', 'frontend');
      assert.match(await page('nginx-3', 'http://web1/'), /nginx-web01/);
      await host.docker('restart', '-t', '0', 'nginx-3');
      assert.match(await hosts('nginx-3'), new RegExp(`^172\\.17\\.0\\.2\\tweb1 ${short('nginx-1')} frontend$`, 'm'));
      await host.docker('rename', 'frontend', 'nginx-1');
    });

    test('an alias follows its target’s new address after a restart', async () => {
      await host.docker('stop', '-t', '0', 'nginx-1');
      await host.docker('run', '-d', '--name', 'other', 'nginx-web02', 'nginx');
      await host.docker('start', 'nginx-1');
      const address = await host.docker('inspect', '-f', '{{.NetworkSettings.IPAddress}}', 'nginx-1');
      assert.match(await hosts('nginx-2'), new RegExp(`^${address}\tnginx-1 ${short('nginx-1')}$`, 'm'));
      // The target's current name, or its name when nginx-3 started: Docker writes names only at start.
      assert.match(
        await hosts('nginx-3'),
        new RegExp(`^${address}\tweb1 ${short('nginx-1')} (nginx-1|frontend)$`, 'm'),
      );
      assert.match(await page('nginx-3', 'http://web1/'), /nginx-web01/);
      await host.docker('rm', '-f', 'other');
    });

    test('a container may have several links', async () => {
      await run(
        'both',
        '-d',
        '--name',
        'both',
        '--link',
        'nginx-1:web1',
        '--link',
        'nginx-2:web2',
        '--add-host',
        'db:10.0.0.9',
        'nginx-app01',
        'nginx',
      );
      const text = await hosts('both');
      const lines = text.split('\n');
      assert.equal(lines[6], '10.0.0.9\tdb');
      assert.match(
        lines.slice(7, 9).sort(byAlias).join('\n'),
        /\tweb1 [0-9a-f]{12} nginx-1\n.*\tweb2 [0-9a-f]{12} nginx-2$/,
      );
      assert.equal(lines[9]?.split('\t')[1], short('both'));
      assert.match(await page('both', 'http://web2/'), /nginx-web02/);
      await host.docker('rm', '-f', 'both');
    });

    test('rm --link removes only the link', async () => {
      await host.docker('rm', '--link', 'nginx-3/web1');
      assert.ok(!(await hosts('nginx-3')).includes('web1'));
      assert.equal(await host.docker('inspect', '-f', '{{.State.Running}}', 'nginx-1', 'nginx-3'), 'true\ntrue');
    });

    test('docker run -it nginx-1 bash: a container’s name in place of an image is rejected with a hint', async () => {
      const result = await host.tryDocker('run', '-i', 'nginx-1', 'bash');
      assert.equal(result.status, 125);
      if (engine === 'netyard') {
        assert.match(result.stderr, /`docker exec -it nginx-1 bash`/);
        const own = await host.tryNetyard('run', '-i', 'nginx-1', 'bash');
        assert.match(own.stderr, /`netyard exec -it nginx-1 bash`/);
      }
      assert.equal(await host.docker('exec', '-i', 'nginx-1', 'bash', '-c', 'echo $0'), 'bash');
    });
  });
