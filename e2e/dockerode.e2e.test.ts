/** dockerode, the library that most Node programs use: the whole life of images, containers, networks and volumes. */
import assert from 'node:assert/strict';
import { createReadStream } from 'node:fs';
import { PassThrough, Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import Docker from 'dockerode';
import { extract, pack } from 'tar-stream';
import { apiSocket } from './support/api.ts';
import { cannotRun, enginesUnderTest } from './support/engines.ts';
import { openHost, type TestHost } from './support/host.ts';
import { archivePath } from './support/images.ts';

const Image = 'netyard-test';
const idle = ['sh', '-c', 'trap "exit 0" TERM; sleep 1000 & wait'];

/** The parts of a multiplexed stream that ends. */
async function separate(docker: Docker, stream: NodeJS.ReadableStream): Promise<{ out: string; err: string }> {
  const [out, err] = [new PassThrough(), new PassThrough()];
  docker.modem.demuxStream(stream, out, err);
  stream.once('end', () => {
    out.end();
    err.end();
  });
  const [outText, errText] = await Promise.all([text(out), text(err)]);
  return { out: outText, err: errText };
}

/** Reads a stream of JSON lines until one fits. */
async function readUntil<T>(stream: NodeJS.ReadableStream, fits: (value: T, all: T[]) => boolean): Promise<T[]> {
  const all: T[] = [];
  let rest = '';
  for await (const part of stream) {
    const lines = `${rest}${part}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines.filter((each) => each !== '')) {
      const value = JSON.parse(line) as T;
      all.push(value);
      if (fits(value, all)) return all;
    }
  }
  throw new Error(`the stream ended after ${JSON.stringify(all)}`);
}

const statusOf = async (promise: Promise<unknown>): Promise<{ statusCode: number; message: string }> => {
  try {
    await promise;
  } catch (error) {
    return error as { statusCode: number; message: string };
  }
  throw new Error('was not rejected');
};

for (const engine of enginesUnderTest())
  describe(`dockerode on ${engine}`, { skip: cannotRun(engine) }, () => {
    let host: TestHost;
    let docker: Docker;

    before(async () => {
      host = await openHost(engine, { images: [Image, 'nginx-web01'] });
      docker = new Docker({ socketPath: apiSocket(host) });
    });
    after(async () => {
      await host?.close();
    });

    test('information about the engine', async () => {
      assert.equal(String(await docker.ping()), 'OK');
      const info = await docker.info();
      const version = await docker.version();
      assert.equal(info.ServerVersion, version.Version);
      assert.equal(info.Images, 2);
      assert.ok(Array.isArray((await docker.df()).Images));
    });

    test('images: list, inspect, history, tag, save, load, import, remove, prune', async () => {
      const images = await docker.listImages({ filters: { reference: [Image] } });
      assert.deepEqual(images[0]?.RepoTags, [`${Image}:latest`]);
      const image = docker.getImage(Image);
      assert.equal((await image.inspect()).Id, images[0]?.Id);
      assert.ok((await image.history()).length > 0);
      await image.tag({ repo: 'other/name', tag: 'one' });
      const saved = await buffer((await docker.getImage('other/name:one').get()) as Readable);
      assert.deepEqual(await docker.getImage('other/name:one').remove(), [{ Untagged: 'other/name:one' }]);
      await followed(docker, await docker.loadImage(createReadStream(archivePath(Image))));
      assert.ok(saved.length > 1_000_000);

      const layer = pack();
      layer.entry({ name: 'hello' }, 'imported');
      layer.finalize();
      const packed = Readable.from([await buffer(layer)]);
      await followed(docker, await docker.importImage(packed, { repo: 'imported', changes: 'LABEL kind=import' }));
      assert.equal((await docker.getImage('imported').inspect()).Config.Labels?.['kind'], 'import');
      await docker.getImage('imported').remove({ force: true });
      assert.equal((await statusOf(docker.getImage('imported').inspect())).statusCode, 404);
      assert.equal((await docker.pruneImages()).SpaceReclaimed, 0);
    });

    test('a container from create to remove', async () => {
      const container = await docker.createContainer({
        name: 'life',
        Image,
        Cmd: ['sh', '-c', 'echo out; echo err >&2; exit 5'],
        Env: ['A=b'],
        Labels: { kind: 'life' },
      });
      assert.equal((await container.inspect()).State.Status, 'created');
      const attached = await container.attach({ stream: true, stdout: true, stderr: true });
      const waiting = container.wait({ condition: 'next-exit' });
      await container.start();
      assert.deepEqual(await separate(docker, attached), { out: 'out\n', err: 'err\n' });
      assert.equal((await waiting).StatusCode, 5);
      const logs = await container.logs({ stdout: true, stderr: true, timestamps: true });
      assert.match(logs.toString('utf8'), /\d{4}-\d\d-\d\dT\S+Z out\n/);
      await container.rename({ name: 'renamed' });
      const filters = { label: ['kind=life'], status: ['exited'], exited: ['5'] };
      const [listed] = await docker.listContainers({ all: true, filters });
      assert.deepEqual(listed?.Names, ['/renamed']);
      const stopped = await statusOf(container.stop());
      assert.equal(stopped.statusCode, 304);
      await container.remove({ v: true });
      assert.equal((await statusOf(container.inspect())).statusCode, 404);
      assert.match((await statusOf(container.start())).message, /No such container/);
    });

    test('signals, pause, restart, top, changes, resources, prune', async () => {
      const container = await docker.createContainer({ name: 'acts', Image, Cmd: idle, HostConfig: { Init: true } });
      await container.start();
      assert.equal((await statusOf(container.start())).statusCode, 304);
      await container.pause();
      assert.equal((await container.inspect()).State.Paused, true);
      await container.unpause();
      await container.restart({ t: 0 });
      const { Titles, Processes } = await container.top({ ps_args: '-eo pid,args' });
      assert.deepEqual(Titles, ['PID', 'COMMAND']);
      assert.ok(Processes.some(([, command]: string[]) => command?.includes('sleep 1000')));
      await container.update({ Memory: 128 * 1024 * 1024, MemorySwap: 256 * 1024 * 1024 });
      assert.equal((await container.inspect()).HostConfig.Memory, 128 * 1024 * 1024);
      const once = (await container.stats({ stream: false })) as Docker.ContainerStats;
      assert.equal(once.memory_stats.limit, 128 * 1024 * 1024);
      const stats = (await container.stats({ stream: true })) as unknown as Readable;
      const samples = await readUntil<Docker.ContainerStats>(stats, (_value, all) => all.length === 2);
      stats.destroy();
      assert.ok((samples[1]?.cpu_stats.system_cpu_usage ?? 0) >= (samples[0]?.cpu_stats.system_cpu_usage ?? 0));
      assert.ok(samples[1]?.networks?.['eth0']);
      await container.kill({ signal: 'SIGWINCH' });
      await container.kill();
      await container.wait();
      await docker.pruneContainers({ filters: { label: ['none'] } });
      await container.inspect();
      assert.deepEqual((await docker.pruneContainers()).ContainersDeleted, [container.id]);
    });

    test('exec: output, input, terminal, detached', async () => {
      const container = await docker.createContainer({ Image, Cmd: idle });
      await container.start();
      const both = await container.exec({
        Cmd: ['sh', '-c', 'echo $V; pwd >&2; exit 3'],
        AttachStdout: true,
        AttachStderr: true,
        Env: ['V=1'],
        WorkingDir: '/tmp',
        User: '65534',
      });
      assert.deepEqual(await separate(docker, await both.start({})), { out: '1\n', err: '/tmp\n' });
      assert.equal((await both.inspect()).ExitCode, 3);

      const cat = await container.exec({ Cmd: ['cat'], AttachStdin: true, AttachStdout: true });
      const stream = await cat.start({ hijack: true, stdin: true });
      stream.end('through\n');
      assert.deepEqual(await separate(docker, stream), { out: 'through\n', err: '' });

      const tty = await container.exec({
        Cmd: ['sh', '-c', 'read x; stty size; test -t 1 && echo $x'],
        Tty: true,
        AttachStdin: true,
        AttachStdout: true,
      });
      const terminal = await tty.start({ hijack: true, stdin: true, Tty: true });
      await tty.resize({ h: 12, w: 34 });
      terminal.write('typed\n');
      assert.equal(await text(terminal), 'typed\r\n12 34\r\ntyped\r\n');

      const detached = await container.exec({ Cmd: ['touch', '/done'] });
      await detached.start({ Detach: true });
      const test = await container.exec({
        Cmd: ['sh', '-c', 'until test -e /done; do sleep 0.05; done'],
        AttachStdout: true,
      });
      await separate(docker, await test.start({}));
      await container.remove({ force: true });
    });

    test('run, attached standard input, terminals, followed logs', async () => {
      const out = new PassThrough();
      const output = text(out);
      const [{ StatusCode }, ran] = await docker.run(Image, ['echo', 'ran'], out, { Tty: true });
      out.end();
      assert.equal(StatusCode, 0);
      assert.equal(await output, 'ran\r\n');
      await ran.remove();

      const reader = await docker.createContainer({
        Image,
        Cmd: ['cat'],
        OpenStdin: true,
        StdinOnce: true,
        AttachStdin: true,
      });
      const stream = await reader.attach({ stream: true, hijack: true, stdin: true, stdout: true, stderr: true });
      await reader.start();
      stream.end('one\ntwo\n');
      assert.deepEqual(await separate(docker, stream), { out: 'one\ntwo\n', err: '' });
      assert.equal((await reader.wait()).StatusCode, 0);
      const followed = await reader.logs({ follow: true, stdout: true, tail: 1 });
      assert.deepEqual(await separate(docker, followed), { out: 'two\n', err: '' });
      await reader.remove();
    });

    test('archives in and out, export', async () => {
      const container = await docker.createContainer({ Image });
      const archive = pack();
      archive.entry({ name: 'sub/file', mode: 0o600 }, 'content');
      archive.finalize();
      await container.putArchive(await buffer(archive), { path: '/srv' });
      const stat = await container.infoArchive({ path: '/srv/sub/file' });
      const header = String(
        (stat as { headers?: Record<string, string> }).headers?.['x-docker-container-path-stat'] ?? '',
      );
      assert.ok(header === '' || Buffer.from(header, 'base64').toString().includes('"size":7'));
      assert.deepEqual(await entriesOf(await container.getArchive({ path: '/srv/sub' })), {
        'sub/': '',
        'sub/file': 'content',
      });
      const exported = await entriesOf(await container.export());
      assert.equal(exported['srv/sub/file'], 'content');
      const changes = (await container.changes()) as { Path: string; Kind: number }[];
      assert.ok(changes.some(({ Path, Kind }) => Path === '/srv/sub/file' && Kind === 1));
      await container.remove();
    });

    test('networks: create, connect, disconnect, inspect, list, prune', async () => {
      const network = await docker.createNetwork({
        Name: 'net',
        Labels: { kind: 'test' },
        IPAM: { Driver: 'default', Config: [{ Subnet: '10.9.0.0/24', Gateway: '10.9.0.1' }] },
        Options: { 'com.docker.network.driver.mtu': '1400' },
      });
      assert.match(
        (await statusOf(docker.createNetwork({ Name: 'net' }))).message,
        /network with name net already exists/,
      );
      const container = await docker.createContainer({
        name: 'member',
        Image,
        Cmd: idle,
        HostConfig: { NetworkMode: 'net' },
      });
      await container.start();
      const second = await docker.createNetwork({ Name: 'second', Internal: true });
      await second.connect({ Container: 'member', EndpointConfig: { Aliases: ['other'] } });
      const { Networks } = (await container.inspect()).NetworkSettings;
      assert.equal(Networks['net']?.IPAddress.startsWith('10.9.0.'), true);
      assert.deepEqual(Networks['second']?.Aliases, ['other']);
      assert.deepEqual(Object.keys((await second.inspect()).Containers ?? {}), [container.id]);
      assert.equal((await statusOf(network.remove())).statusCode, 403);
      await second.disconnect({ Container: 'member', Force: true });
      const listed = await docker.listNetworks({ filters: { label: ['kind=test'] } });
      assert.deepEqual(
        listed.map(({ Id }) => Id),
        [network.id],
      );
      assert.deepEqual((await docker.pruneNetworks()).NetworksDeleted, ['second']);
      await container.remove({ force: true });
      await network.remove();
      assert.equal((await statusOf(network.inspect())).statusCode, 404);
    });

    test('published ports', async () => {
      const container = await docker.createContainer({
        Image: 'nginx-web01',
        ExposedPorts: { '80/tcp': {} },
        HostConfig: { PortBindings: { '80/tcp': [{ HostPort: '0' }] } },
      });
      await container.start();
      const { Ports } = (await container.inspect()).NetworkSettings;
      const port = Ports['80/tcp']?.[0]?.HostPort;
      assert.match(await host.sh(`curl -sS --retry 20 --retry-connrefused http://127.0.0.1:${port}/`), /web01/);
      const [listed] = await docker.listContainers({ filters: { publish: [String(port)], expose: ['80/tcp'] } });
      assert.equal(String(listed?.Ports.find(({ PrivatePort }) => PrivatePort === 80)?.PublicPort), port);
      await container.remove({ force: true });
    });

    test('volumes: create, use, inspect, list, remove, prune', async () => {
      const created = await docker.createVolume({ Name: 'data', Labels: { kind: 'test' } });
      assert.equal(created.name, 'data');
      const write = ['sh', '-c', 'echo kept > /data/file'];
      const [, writer] = await docker.run(Image, write, new PassThrough(), { HostConfig: { Binds: ['data:/data'] } });
      await writer.remove();
      const out = new PassThrough();
      const output = text(out);
      const HostConfig = {
        Mounts: [{ Type: 'volume' as const, Source: 'data', Target: '/d', ReadOnly: true }],
      };
      const [, reader] = await docker.run(Image, ['cat', '/d/file'], out, { HostConfig, Tty: true });
      await reader.remove();
      out.end();
      assert.equal(await output, 'kept\r\n');
      const volume = docker.getVolume('data');
      assert.equal((await volume.inspect()).Labels['kind'], 'test');
      const { Volumes } = await docker.listVolumes({ filters: { label: ['kind=test'] } });
      assert.deepEqual(
        Volumes.map(({ Name }) => Name),
        ['data'],
      );
      await volume.remove();
      await docker.createVolume({});
      assert.equal((await docker.pruneVolumes()).VolumesDeleted?.length, 1);
      assert.equal((await statusOf(volume.inspect())).statusCode, 404);
    });

    test('events, live and of the past', async () => {
      const since = Math.floor(Date.now() / 1000);
      const live = await docker.getEvents({ filters: { type: ['container'], label: ['kind=events'] } });
      const container = await docker.createContainer({
        name: 'seen',
        Image,
        Cmd: ['true'],
        Labels: { kind: 'events' },
      });
      await container.start();
      await container.wait();
      await container.remove();
      interface Event {
        Action: string;
        Actor: { ID: string; Attributes: Record<string, string> };
      }
      const events = await readUntil<Event>(live, ({ Action }) => Action === 'destroy');
      (live as Readable).destroy();
      assert.deepEqual(
        events.map(({ Action }) => Action),
        ['create', 'start', 'die', 'destroy'],
      );
      assert.equal(events[2]?.Actor.Attributes['exitCode'], '0');
      const until = Math.ceil(Date.now() / 1000) + 1;
      const past = await docker.getEvents({ since, until, filters: { container: [container.id], event: ['die'] } });
      assert.match(await text(past), /"Action":"die"/);
    });

    test('nothing is left', async () => {
      assert.deepEqual(await docker.listContainers({ all: true }), []);
      assert.deepEqual(await docker.listNetworks({ filters: { type: ['custom'] } }), []);
      assert.deepEqual((await docker.listVolumes()).Volumes ?? [], []);
    });
  });

/** The end of a stream of progress messages; rejects when one is an error. */
function followed(docker: Docker, stream: NodeJS.ReadableStream): Promise<void> {
  return new Promise((resolve, reject) => {
    docker.modem.followProgress(stream, (error) => (error ? reject(error) : resolve()));
  });
}

async function entriesOf(stream: NodeJS.ReadableStream): Promise<Record<string, string>> {
  const entries: Record<string, string> = {};
  const reader = stream.pipe(extract());
  for await (const entry of reader) entries[entry.header.name] = await text(entry);
  return entries;
}
