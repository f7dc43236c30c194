/** Attached commands, pulls and archives have the docker CLI's streams and exit codes on the same fake daemon. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { asNetyard, Both, type Result, type RunOptions, withoutDocker } from './docker-comparison.ts';
import { frame, type Recorded, refuse } from './fake-daemon.ts';

const id = 'a'.repeat(64);
const progress = [
  { status: 'Pulling from library/img', id: 'latest' },
  { status: 'Pulling fs layer', progressDetail: {}, id: 'c0ffee' },
  { status: 'Downloading', progressDetail: { current: 512, total: 2048 }, progress: '[==>  ]', id: 'c0ffee' },
  { status: 'Pull complete', progressDetail: {}, id: 'c0ffee' },
  { status: 'Digest: sha256:1' },
  { status: 'Status: Downloaded newer image for img:latest' },
];
const jsonLines = (values: unknown[]): string => values.map((value) => `${JSON.stringify(value)}\n`).join('');

describe('attached commands, compared with docker', { skip: withoutDocker, concurrency: 1 }, () => {
  let both: Both;
  let folder: string;
  before(async () => {
    both = await Both.open();
    folder = mkdtempSync(join(tmpdir(), 'netyard-cli-files-'));
  });
  after(async () => {
    await both.close();
    rmSync(folder, { recursive: true });
  });

  beforeEach(() => {
    const { daemon } = both;
    daemon.answers.clear();
    const set = (key: string, answer: unknown): void => void daemon.answers.set(key, answer);
    const answer = (_request: Recorded, response: ServerResponse): void => {
      response.writeHead(200, { 'Content-Type': 'application/json' });
      response.flushHeaders(); // the wait is registered; it ends later
      setTimeout(() => response.end('{"StatusCode":3}'), 50);
    };
    set('POST /containers/create', { Id: id, Warnings: [] });
    set(`POST /containers/${id}/wait`, answer);
    set('POST /containers/web/wait', answer);
    set(`POST /containers/${id}/start`, null);
    set(`POST /containers/${id}/resize`, null);
    set('GET /containers/web/json', {
      Id: id,
      Name: '/web',
      State: { Running: true, Paused: false, Restarting: false },
      Config: { Tty: false, OpenStdin: true },
      HostConfig: {},
    });
    set('POST /containers/web/exec', { Id: 'x1' });
    set('GET /exec/x1/json', { ID: 'x1', Running: false, ExitCode: 5 });
    daemon.onHijack = (_request, stream) => {
      stream.write(frame('stdout', 'out\n'));
      stream.end(frame('stderr', 'err\n'));
    };
  });

  const compare = async (words: string[], options: RunOptions = {}): Promise<Result> => {
    const theirs = await both.docker(words, options);
    const ours = await both.netyard(words, options);
    assert.equal(ours.stdout, asNetyard(theirs.stdout));
    assert.equal(ours.stderr, asNetyard(theirs.stderr));
    assert.equal(ours.status, theirs.status);
    return ours;
  };

  const echoInput = (): void => {
    both.daemon.onHijack = (_request, stream) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => stream.end(frame('stdout', `got ${Buffer.concat(chunks)}`)));
    };
  };

  test('run prints to both streams and exits with the code of the process', async () => {
    const { stdout, stderr, status } = await compare(['run', 'img', 'cmd']);
    assert.deepEqual([stdout, stderr, status], ['out\n', 'err\n', 3]);
  });

  test('run -i forwards piped input; its end half-closes, output continues', async () => {
    echoInput();
    const { stdout } = await compare(['run', '-i', 'img'], { stdin: 'hello' });
    assert.equal(stdout, 'got hello');
  });

  test('exec -i does the same and exits with the code of the process', async () => {
    echoInput();
    const { stdout, status } = await compare(['exec', '-i', 'web', 'cat'], { stdin: 'hello' });
    assert.deepEqual([stdout, status], ['got hello', 5]);
  });

  test('attach to a running container', async () => {
    await compare(['attach', '--no-stdin', '--sig-proxy=false', 'web']);
  });

  test('run pulls an image that is missing', async () => {
    let created = 0;
    both.daemon.answers.set('POST /containers/create', () => {
      created += 1;
      return created % 2 === 1 ? refuse(404, 'No such image: img:latest') : { Id: id, Warnings: [] };
    });
    both.daemon.answers.set('POST /images/create', jsonLines(progress));
    const { stderr, requests } = await compare(['run', '-d', 'img']);
    assert.match(stderr, /^Unable to find image 'img:latest' locally\nlatest: Pulling from library\/img\n/);
    assert.ok(requests.some(({ path, query }) => path === '/images/create' && query['tag'] === 'latest'));
  });

  test('run reports why a pull failed', async () => {
    both.daemon.answers.set('POST /containers/create', refuse(404, 'No such image: img:latest'));
    both.daemon.answers.set('POST /images/create', refuse(404, 'pull access denied for img'));
    const { status } = await compare(['run', 'img']);
    assert.equal(status, 125);
  });

  test('run --pull never does not pull', async () => {
    both.daemon.answers.set('POST /containers/create', refuse(404, 'No such image: img:latest'));
    const { requests } = await compare(['run', '--pull', 'never', 'img']);
    assert.ok(!requests.some(({ path }) => path === '/images/create'));
  });

  for (const [message, status] of [
    ['exec: "x": executable file not found in $PATH', 127],
    ['exec: "/etc": permission denied', 126],
    ['Bind for 0.0.0.0:80 failed: port is already allocated', 125],
  ] as const) {
    test(`run -d ends with ${status}: ${message}`, async () => {
      both.daemon.answers.set(`POST /containers/${id}/start`, refuse(500, message));
      assert.equal((await compare(['run', '-d', 'img'])).status, status);
    });
  }

  test('create reports the daemon’s error', async () => {
    both.daemon.answers.set(
      'POST /containers/create',
      refuse(409, 'Conflict. The container name "/x" is already in use'),
    );
    await compare(['create', '--name', 'x', 'img']);
    await compare(['run', '-d', '--name', 'x', 'img']);
  });

  test('pull', async () => {
    both.daemon.answers.set('POST /images/create', jsonLines(progress));
    await compare(['pull', 'img']);
    await compare(['pull', 'registry:5000/team/img:1']);
    await compare(['pull', '-q', 'img']);
  });

  test('a pull that fails after the first lines', async () => {
    const failed = [progress[0], { errorDetail: { message: 'unexpected EOF' }, error: 'unexpected EOF' }];
    both.daemon.answers.set('POST /images/create', jsonLines(failed));
    await compare(['pull', 'img']);
  });

  test('push', async () => {
    const lines = [
      { status: 'The push refers to repository [registry:5000/img]' },
      { status: 'Pushed', progressDetail: {}, id: 'c0ffee' },
      { status: '1: digest: sha256:2 size: 5' },
      { aux: { Tag: '1', Digest: 'sha256:2', Size: 5 } },
    ];
    both.daemon.answers.set('POST /images/registry:5000/img/push', jsonLines(lines));
    await compare(['push', 'registry:5000/img:1']);
  });

  test('load from a file and from stdin', async () => {
    both.daemon.answers.set('POST /images/load', jsonLines([{ stream: 'Loaded image: img:latest\n' }]));
    const file = join(folder, 'img.tar');
    writeFileSync(file, 'not looked at');
    const { requests } = await compare(['load', '-i', file]);
    assert.equal(requests[0]?.body, 'not looked at');
    await compare(['load'], { stdin: 'piped' });
    await compare(['load', '-i', '/nonexistent.tar']);
  });

  test('import', async () => {
    both.daemon.answers.set('POST /images/create', jsonLines([{ status: 'sha256:5' }]));
    await compare(['import', '-m', 'why', '-c', 'CMD ["x"]', '-', 'base:1'], { stdin: 'tar' });
  });

  test('save and export write the stream', async () => {
    both.daemon.answers.set('GET /images/get', 'image bytes');
    both.daemon.answers.set('GET /containers/web/export', 'file bytes');
    await compare(['save', 'img']);
    await compare(['export', 'web']);
  });

  test('info and version print the server’s facts', async () => {
    both.daemon.answers.set('GET /info', serverInfo);
    both.daemon.answers.set('GET /version', serverVersion);
    for (const words of [['info'], ['version']]) {
      const serverPart = ({ stdout }: Result): string => stdout.slice(stdout.indexOf('\nServer:'));
      assert.equal(serverPart(await both.netyard(words)), serverPart(await both.docker(words)));
    }
    await compare(['info', '-f', '{{.Driver}} {{.NCPU}}']);
    await compare(['version', '-f', '{{.Server.Version}}']);
  });
});

const serverInfo = {
  ID: 'x-1',
  Containers: 3,
  ContainersRunning: 1,
  ContainersPaused: 0,
  ContainersStopped: 2,
  Images: 4,
  Driver: 'overlay2',
  DriverStatus: [
    ['Backing Filesystem', 'extfs'],
    ['Native Overlay Diff', 'true'],
  ],
  Plugins: {
    Volume: ['local'],
    Network: ['bridge', 'host', 'macvlan', 'null'],
    Authorization: null,
    Log: ['json-file', 'none'],
  },
  MemoryLimit: true,
  SwapLimit: true,
  CpuCfsPeriod: true,
  CpuCfsQuota: true,
  CPUShares: true,
  CPUSet: true,
  PidsLimit: true,
  IPv4Forwarding: true,
  OomKillDisable: true,
  Debug: false,
  LoggingDriver: 'json-file',
  CgroupDriver: 'cgroupfs',
  CgroupVersion: '2',
  KernelVersion: '6.18.0',
  OperatingSystem: 'Debian GNU/Linux 12 (bookworm)',
  OSType: 'linux',
  Architecture: 'x86_64',
  RegistryConfig: {
    InsecureRegistryCIDRs: ['127.0.0.0/8'],
    IndexConfigs: { 'docker.io': { Name: 'docker.io', Mirrors: [], Secure: true, Official: true } },
    Mirrors: null,
  },
  NCPU: 2,
  MemTotal: 8_000_000_000,
  DockerRootDir: '/var/lib/netyard',
  Name: 'server1',
  Labels: [],
  ExperimentalBuild: false,
  ServerVersion: '0.1.0',
  Runtimes: { runc: { path: 'runc' } },
  DefaultRuntime: 'runc',
  Swarm: { LocalNodeState: 'inactive', ControlAvailable: false },
  LiveRestoreEnabled: true,
  InitBinary: 'docker-init',
  ContainerdCommit: { ID: '1.6' },
  RuncCommit: { ID: '1.1' },
  InitCommit: { ID: '' },
  SecurityOptions: ['name=seccomp,profile=builtin', 'name=cgroupns'],
  Warnings: null,
};

const serverVersion = {
  Platform: { Name: 'Netyard' },
  Components: [
    {
      Name: 'Engine',
      Version: '0.1.0',
      Details: {
        ApiVersion: '1.50',
        MinAPIVersion: '1.24',
        GoVersion: 'none',
        GitCommit: 'abc',
        BuildTime: '2026-11-03T20:31:07.000000000+00:00',
        Os: 'linux',
        Arch: 'amd64',
        Experimental: 'false',
      },
    },
    { Name: 'containerd', Version: '1.6.20', Details: { GitCommit: 'def' } },
  ],
  Version: '0.1.0',
  ApiVersion: '1.50',
  MinAPIVersion: '1.24',
  GitCommit: 'abc',
  GoVersion: 'none',
  Os: 'linux',
  Arch: 'amd64',
  KernelVersion: '6.18.0',
  BuildTime: '2026-11-03T20:31:07.000000000+00:00',
};
