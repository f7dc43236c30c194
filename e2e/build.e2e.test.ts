/**
 * `docker build` by the classic builder, and `docker compose build`. NETYARD_BUILDAH=DIR names the folder that
 * `script/unpack-buildah DIR` filled.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { cannotRun } from './support/engines.ts';
import { type CommandResult, openHost, type TestHost, until } from './support/host.ts';

const unpacked = process.env['NETYARD_BUILDAH'] ?? '';
const compose = process.env['NETYARD_COMPOSE'] ?? '';
const isUnpacked = (folder: string): boolean => existsSync(join(folder, 'complete'));
const skip =
  cannotRun('netyard') ||
  (!isUnpacked(unpacked) && 'NETYARD_BUILDAH names no folder that script/unpack-buildah filled');
const noCompose = !isUnpacked(compose) && 'NETYARD_COMPOSE names no folder that script/unpack-compose filled';

describe('docker build', { skip }, () => {
  let host: TestHost;
  let folder = '';
  const environment = { DOCKER_BUILDKIT: '0', DOCKER_CONFIG: join(compose, 'config') };
  before(async () => {
    process.env['PATH'] = `${join(unpacked, 'bin')}:${process.env['PATH']}`;
    folder = mkdtempSync(join(tmpdir(), 'netyard-build-'));
    writeFileSync(join(folder, 'file'), 'content\n');
    host = await openHost('netyard', { images: ['netyard-test', 'nginx-web01'] });
  });
  after(async () => {
    await host?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const run = (line: string): Promise<CommandResult> =>
    host.run(['sh', '-c', `cd ${folder}; ${line}`], { environment });
  /** Runs `docker build` in the folder. */
  const build = (dockerfile: string, options = ''): Promise<CommandResult> => {
    writeFileSync(join(folder, 'Dockerfile'), dockerfile);
    return run(`docker build ${options} .`);
  };
  const built = async (dockerfile: string, options = ''): Promise<string> => {
    const { status, stdout, stderr } = await build(dockerfile, options);
    assert.equal(status, 0, `${stdout}${stderr}`);
    return stdout;
  };
  /** Processes, directories, namespaces and groups of builds. */
  const leftovers = (): Promise<string> =>
    host.sh(
      `ls ${host.dataFolder}/builds /run/netns; find /sys/fs/cgroup -name 'build-*'; ps -o args | grep '[b]uildah' || true`,
    );

  test('stages, arguments, labels and names make an image of the daemon', async () => {
    const output = await built(
      [
        'ARG BASE=nothing',
        `FROM \${BASE} AS first`,
        'ARG NAME=default',
        'RUN echo "built for $NAME" > /note; echo to the output',
        'COPY file /copied',
        'FROM scratch AS files',
        'COPY --from=first /note /note',
        'FROM first',
        'COPY --from=files /note /again',
        'CMD ["cat", "/again", "/copied"]',
      ].join('\n'),
      '-t app:1 -t team/app --build-arg BASE=netyard-test --build-arg NAME=you --label tier=web',
    );
    assert.match(output, /Step 1\/11 : ARG BASE=nothing\nStep 2\/11 : FROM \$\{BASE\} AS first\n/);
    assert.match(output, /: RUN echo .*\nto the output\n/);
    assert.match(
      output,
      /Successfully built [0-9a-f]{12}\nSuccessfully tagged app:1\nSuccessfully tagged team\/app:latest\n$/,
    );
    assert.equal(await host.docker('run', '--rm', 'app:1'), 'built for you\ncontent');
    assert.equal(await host.docker('image', 'inspect', '-f', '{{json .Config.Labels}}', 'team/app'), '{"tier":"web"}');
    const steps = await host.docker('history', '--no-trunc', '--format', '{{.CreatedBy}}', 'app:1');
    assert.match(steps, /RUN|\/bin\/sh -c echo "built for/);
    const id = await built('FROM app:1\nLABEL more=yes', '-q');
    assert.match(id.trim(), /^sha256:[0-9a-f]{64}$/);
    assert.equal(await host.docker('run', '--rm', id.trim()), 'built for you\ncontent');
  });

  test('a target, a Dockerfile elsewhere and a compressed context from standard input work', async () => {
    const stages = 'FROM netyard-test AS one\nRUN echo one > /stage\nFROM one\nRUN exit 1\n';
    await built(stages, '-q -t target:1 --target one --label a=b');
    assert.equal(await host.docker('run', '--rm', 'target:1', 'cat', '/stage'), 'one');
    assert.equal(await host.docker('image', 'inspect', '-f', '{{.Config.Labels.a}}', 'target:1'), 'b');
    const elsewhere = `${folder}.elsewhere`;
    writeFileSync(elsewhere, 'FROM scratch\nCOPY file /file\n');
    const outside = await run(`docker build -q -t outside:1 -f ${elsewhere} .; rm ${elsewhere}`);
    assert.equal(outside.status, 0, outside.stderr);
    writeFileSync(join(folder, 'Dockerfile'), 'FROM scratch\nCOPY file /file\n');
    const piped = await run('tar -czf - . | docker build -q -t piped:1 -');
    assert.equal(piped.status, 0, piped.stderr);
    for (const image of ['outside:1', 'piped:1']) {
      await host.docker('create', '--name', 'look', image, 'x');
      assert.equal(await host.sh('docker cp look:/file - | tar -xOf -'), 'content\n');
      await host.docker('rm', 'look');
    }
  });

  test('RUN is confined as a container, on the network that was chosen', async () => {
    await host.docker('network', 'create', '--subnet', '10.77.0.0/24', 'front');
    await host.docker('run', '-d', '--network', 'front', '--ip', '10.77.0.9', 'nginx-web01');
    const clean = await leftovers();
    const confined = [
      'grep -q "^Seccomp:.2" /proc/self/status',
      'grep -q "^CapEff:.00000000a80425fb" /proc/self/status',
      '! ls /dev/vda /dev/sda 2> /dev/null',
      'mknod /tmp/disk b 8 0 && ! cat /tmp/disk && rm /tmp/disk',
      'test $(ls -d /proc/[0-9]* | wc -l) -lt 10',
      'grep -q "1.2.3.4.*other" /etc/hosts',
    ];
    await built(`FROM netyard-test\nRUN ${confined.join(' && ')}\n`, '--add-host other:1.2.3.4');
    const page = 'FROM nginx-web01\nARG ADDRESS\nRUN wget -q -T 2 -t 1 -O - http://$ADDRESS/\n';
    const own = 'FROM netyard-test\nRUN ip -o -4 addr show eth0; ip route\n';
    assert.match(await built(own), /inet 172\.17\.0\.\d+\/16/);
    assert.match(await built(page, '--network front --build-arg ADDRESS=10.77.0.9'), /nginx-web01/);
    assert.notEqual((await build(page, '--build-arg ADDRESS=10.77.0.9')).status, 0);
    assert.match(await built('FROM netyard-test\nRUN ls /sys/class/net\n', '--network none'), /\nlo\n/);
    assert.match(await built('FROM netyard-test\nRUN ip -o -4 addr\n', '--network host'), /172\.16\.2\.101/);
    const limits =
      'FROM netyard-test\nRUN cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>&1 || true\n';
    assert.match(await built(limits, '--memory 64m --cpu-shares 512'), /\n67108864\n/);
    assert.equal(await leftovers(), clean);
  });

  test('errors have the words and exit codes of Docker', async () => {
    const cases: [string, string, number, RegExp][] = [
      ['FROM netyard-test\nRUN exit 7', '', 7, /^The command '\/bin\/sh -c exit 7' returned a non-zero code: 7$/m],
      [
        'FROM netyard-test\nRUN ["sh", "-c", "exit 3"]',
        '-q',
        3,
        /^The command 'sh -c exit 3' returned a non-zero code: 3$/m,
      ],
      [
        'FROM netyard-test\nCOPY missing /',
        '',
        1,
        /^COPY failed: file not found in build context or excluded by \.dockerignore: stat missing: file does not exist$/m,
      ],
      [
        'FROM netyard-test\nFOO',
        '',
        1,
        /dockerfile parse error on line 2: unknown instruction: FOO \(did you mean FROM\?\)/,
      ],
      ['FROM netyard-test', '--target none', 1, /target stage "none" could not be found/],
      ['FROM netyard-test\nRUN true', '--network none-such', 1, /network none-such not found/],
      ['FROM netyard-test', '--platform linux/s390x', 1, /Netyard builds images for linux\/\w+ only/],
      ['FROM netyard-test', '--security-opt x=y', 1, /security options are not supported on linux/],
    ];
    for (const [dockerfile, options, code, message] of cases) {
      const { status, stderr } = await build(dockerfile, options);
      assert.equal(status, code, stderr);
      assert.match(stderr, message);
    }
    const api = (path: string): Promise<string> =>
      host.sh(`curl -s --unix-socket /run/netyard/netyard.sock -X POST -w '%{http_code}' http://d/v1.47${path}`);
    for (const path of ['/build?version=2', '/session', '/grpc'])
      assert.match(await api(path), /DOCKER_BUILDKIT=0.*501$/s, path);
    assert.equal(await api('/build/prune'), '{"CachesDeleted":null,"SpaceReclaimed":0}\n200');
    const pack = `cd ${folder}; mkdir -p top/sub; echo x > outside; tar -P -C top/sub -cf escape.tar ../../outside`;
    await host.sh(pack);
    const upload = `curl -s --unix-socket /run/netyard/netyard.sock --data-binary @${folder}/escape.tar`;
    assert.match(await host.sh(`${upload} http://d/v1.47/build`), /is outside of/);
  });

  test('a client that disconnects and a daemon that dies end a build with everything it had', async () => {
    const clean = await leftovers();
    writeFileSync(join(folder, 'Dockerfile'), 'FROM netyard-test\nRUN echo started; sleep 987654\n');
    const sleeping = async (): Promise<boolean> => (await host.run(['pgrep', '-f', '[s]leep 987654'])).status === 0;
    const start = () => host.start(['sh', '-c', `cd ${folder}; exec docker build -t never:1 .`], { environment });
    const client = start();
    await until(sleeping, 'the step runs');
    client.kill('SIGKILL');
    await until(async () => (await leftovers()) === clean, 'nothing of the build is left');
    assert.equal(await sleeping(), false);

    start();
    await until(sleeping, 'the step runs');
    await host.killDaemon();
    await until(async () => !(await sleeping()), 'the step ended with the daemon');
    await host.restartDaemon();
    await until(async () => (await leftovers()) === clean, 'nothing of the build is left');
    assert.notEqual((await host.tryDocker('image', 'inspect', 'never:1')).status, 0);
  });

  test('docker compose builds the image of a service', { skip: noCompose }, async () => {
    writeFileSync(join(folder, 'Dockerfile'), 'FROM netyard-test\nARG WHO\nRUN echo "hello $WHO" > /hello\n');
    const file =
      'services:\n  app:\n    build:\n      context: .\n      args: { WHO: compose }\n    command: cat /hello\n';
    writeFileSync(join(folder, 'compose.yaml'), file);
    const made = await run('docker compose --project-name built build 2>&1');
    assert.equal(made.status, 0, made.stdout);
    const up = await run(
      'docker compose --project-name built run --rm app; docker compose --project-name built down 2>&1',
    );
    assert.match(up.stdout, /hello compose/);
  });
});

describe('docker build without buildah', { skip: cannotRun('netyard') }, () => {
  test('answers what to install', async () => {
    const path = process.env['PATH'];
    process.env['PATH'] = (path ?? '')
      .split(':')
      .filter((folder) => !existsSync(join(folder, 'buildah')))
      .join(':');
    const host = await openHost('netyard', {});
    try {
      const line =
        'echo FROM scratch > /run/Dockerfile; cd /run; mkdir ctx; DOCKER_BUILDKIT=0 docker build -f Dockerfile ctx';
      const { status, stderr } = await host.run(['sh', '-c', line]);
      assert.equal(status, 1);
      assert.match(stderr, /building images needs buildah, which is not installed[\s\S]*apt install buildah/);
    } finally {
      process.env['PATH'] = path;
      await host.close();
    }
  });
});
