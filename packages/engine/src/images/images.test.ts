/** The parts of the image service that need no content: look-up, filters, changes, configurations, manifests. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ImageConfig, ImageRecord } from '../model.ts';
import { applyChanges } from './changes/apply-changes.ts';
import { chainIdsOf, digestOf } from './digest.ts';
import { encodeImageConfig, parseImageConfig } from './image-config.ts';
import { filterImages } from './image-filters.ts';
import { findImage } from './image-lookup.ts';
import { newImageRecord } from './image-record.ts';
import { normalizeTime, parseTime } from './image-time.ts';
import {
  checkManifest,
  encodeManifest,
  mediaTypes,
  parseIndex,
  parseManifest,
  pickPlatform,
  platformOf,
} from './manifest.ts';
import { chooseImages } from './save.ts';

const empty: ImageConfig = parseImageConfig(Buffer.from('{"rootfs":{"type":"layers","diff_ids":[]}}'));

function record(digit: string, fields: Partial<ImageRecord> = {}): ImageRecord {
  const image = newImageRecord({ id: `sha256:${digit.repeat(64)}`, config: empty, layers: [], size: 0 });
  return { ...image, ...fields };
}

test('an image is found by id, id prefix, name and digest', () => {
  const digest = `sha256:${'d'.repeat(64)}`;
  const images = [
    record('a', { tags: ['app:1', 'app:latest'], digests: [`app@${digest}`] }),
    record('b', { tags: ['localhost:5000/app:1', 'bbbb:latest'] }),
    record('c', { id: `sha256:${'a'.repeat(63)}c` }),
  ];
  const found = (text: string) =>
    findImage(images, text).record.id.slice(7, 9) + findImage(images, text).record.id.at(-1);
  const cases = {
    app: 'aaa',
    'app:1': 'aaa',
    'docker.io/library/app': 'aaa',
    [`app@${digest}`]: 'aaa',
    [digest]: 'aaa',
    'localhost:5000/app:1': 'bbb',
    bbbb: 'bbb',
    bbb: 'bbb',
    'sha256:bb': 'bbb',
    ['a'.repeat(64)]: 'aaa',
  };
  for (const [text, id] of Object.entries(cases)) assert.equal(found(text), id, text);
  assert.throws(() => findImage(images, 'aaaa'), { code: 'not-found', message: 'No such image: aaaa:latest' });
  assert.throws(() => findImage(images, 'app:2'), { message: 'No such image: app:2' });
  assert.throws(() => findImage(images, 'docker.io/library/nothing'), { message: 'No such image: nothing:latest' });
  assert.throws(() => findImage(images, 'e'.repeat(64)), { message: `No such image: ${'e'.repeat(64)}` });
  assert.throws(() => findImage(images, 'App'), { code: 'invalid' });
});

test('the list is filtered', () => {
  const images = [
    record('1', { created: 1_000_000_000n, tags: ['one:1', 'one:2'], config: { ...empty, labels: { a: 'b' } } }),
    record('2', { created: 2_000_000_000n, tags: ['reg.io/team/two:1'] }),
    record('3', { created: 3_000_000_000n }),
  ];
  const list = (filters: Record<string, string[]>) =>
    filterImages(images, new Map(Object.entries(filters)), 10_000_000_000n).map(({ id, tags }) =>
      [id.at(-1), ...tags].join(' '),
    );
  assert.deepEqual(list({}), ['3', '2 reg.io/team/two:1', '1 one:1 one:2']);
  assert.deepEqual(list({ dangling: ['true'] }), ['3']);
  assert.deepEqual(list({ dangling: ['false'] }), ['2 reg.io/team/two:1', '1 one:1 one:2']);
  assert.deepEqual(list({ reference: ['one'] }), ['1 one:1 one:2']);
  assert.deepEqual(list({ reference: ['*:2'] }), ['1 one:2']);
  assert.deepEqual(list({ reference: ['reg.io/*/*'] }), ['2 reg.io/team/two:1']);
  assert.deepEqual(list({ reference: ['docker.io/library/one'] }), []); // as dockerd 20.10: names are matched as shown
  assert.deepEqual(list({ label: ['a'] }), ['1 one:1 one:2']);
  assert.deepEqual(list({ label: ['a=c'] }), []);
  assert.deepEqual(list({ before: ['reg.io/team/two:1'] }), ['1 one:1 one:2']);
  assert.deepEqual(list({ since: ['one:1'] }), ['3', '2 reg.io/team/two:1']);
  assert.deepEqual(list({ until: ['8s'] }), ['1 one:1 one:2']);
  assert.throws(() => list({ colour: ['red'] }), { message: "invalid filter 'colour'" });
  assert.throws(() => list({ before: ['nothing'] }), { message: 'No such image: nothing:latest' });
});

test('a save includes all tags of a name, one tag, or an image without names', () => {
  const images = [record('1', { tags: ['app:1', 'app:2', 'other:1'] }), record('2', { tags: ['app:3'] })];
  const saved = (...refs: string[]) =>
    chooseImages(images, refs).map(({ record: { id }, tags }) => [id.at(-1), ...tags].join(' '));
  assert.deepEqual(saved('app'), ['1 app:1 app:2', '2 app:3']);
  assert.deepEqual(saved('app:2', 'other:1'), ['1 app:2 other:1']);
  assert.deepEqual(saved('1'.repeat(64)), ['1']);
  assert.deepEqual(saved('11111', 'app:1'), ['1 app:1']);
  assert.throws(() => saved('app:9'), /No such image: app:9/);
});

test('import applies Dockerfile instructions', () => {
  const change = (...lines: string[]) => applyChanges(empty, lines).config;
  assert.deepEqual(change('CMD echo $HOME').command, ['/bin/sh', '-c', 'echo $HOME']);
  assert.deepEqual(change('cmd ["a", "b c"]').command, ['a', 'b c']);
  assert.deepEqual(change('ENTRYPOINT [broken').entrypoint, ['/bin/sh', '-c', '[broken']);
  assert.deepEqual(change('ENV A=1 B="x y" C=a\\ b', 'ENV A=2', 'ENV D all of it').env, [
    'A=2',
    'B=x y',
    'C=a b',
    'D=all of it',
  ]);
  assert.deepEqual(
    change('EXPOSE 8000-8001/udp').exposed.map(({ port, protocol }) => `${port}/${protocol}`),
    ['8000/udp', '8001/udp'],
  );
  assert.deepEqual(change("LABEL a='b c' \\\n d=e").labels, { a: 'b c', d: 'e' });
  assert.deepEqual(change('WORKDIR /a', 'WORKDIR b').workingDirectory, '/a/b');
  assert.deepEqual(change('VOLUME ["/x", "/y"]').volumes, ['/x', '/y']);
  for (const [line, message] of [
    ['COPY a b', /COPY is not a valid change command/],
    ['NONSENSE', /NONSENSE is not a valid change command/],
    ['USER', /USER requires exactly one argument/],
    ['EXPOSE 99999', /Invalid containerPort: 99999/],
    ['ENV A', /ENV must have two arguments/],
    ['LABEL a=b c', /can't find = in "c"/],
  ] as const) {
    assert.throws(() => change(line), { code: 'invalid', message });
  }
});

test('a configuration survives encoding and parsing', () => {
  const config: ImageConfig = {
    ...applyChanges(empty, [
      'CMD ["x"]',
      'ENV A=1',
      'EXPOSE 53/udp',
      'LABEL a=b',
      'VOLUME /v',
      'STOPSIGNAL SIGQUIT',
      'USER 1:2',
      'ONBUILD RUN true',
    ]).config,
    architecture: 'amd64',
    created: '2026-01-02T03:04:05.000000006Z',
    diffIds: [`sha256:${'1'.repeat(64)}`],
    history: [{ createdBy: 'x' }, { comment: 'y', emptyLayer: true }],
    healthcheck: {
      test: ['CMD', 'true'],
      intervalNanoseconds: 1e9,
      timeoutNanoseconds: 0,
      startPeriodNanoseconds: 0,
      startIntervalNanoseconds: 2e9,
      retries: 3,
    },
  };
  assert.deepEqual(parseImageConfig(encodeImageConfig(config)), config);
  assert.equal(
    digestOf(encodeImageConfig(config)),
    digestOf(encodeImageConfig(parseImageConfig(encodeImageConfig(config)))),
  );
});

test('a configuration of another tool is read as Docker reads it', () => {
  const read = (config: object): ImageConfig =>
    parseImageConfig(Buffer.from(JSON.stringify({ config, rootfs: { type: 'layers', diff_ids: [] } })));
  const { command, entrypoint, shell } = read({ Cmd: 'echo hi', Entrypoint: 'sh', Shell: '/bin/ash' });
  assert.deepEqual([command, entrypoint, shell], [['echo hi'], ['sh'], ['/bin/ash']]);
  const { env, labels } = read({ Env: [null, 'A=b'], Labels: { a: null, b: 'c' } });
  assert.deepEqual([env, labels], [['', 'A=b'], { a: '', b: 'c' }]);
  assert.deepEqual(read({ Healthcheck: { Test: ['NONE'], Interval: null } }).healthcheck?.intervalNanoseconds, 0);
  assert.deepEqual(
    read({ ExposedPorts: { '80': {}, '90/foo': {}, '8000-8010/tcp': {}, x: {}, '0/tcp': {} } }).exposed,
    [{ port: 80, protocol: 'tcp' }],
  );
});

test('invalid configurations are rejected', () => {
  for (const text of [
    '',
    '[]',
    '{}',
    '{"rootfs":{"type":"layers","diff_ids":["x"]}}',
    '{"rootfs":{"type":"other"}}',
    '{"config":{"Env":[1]},"rootfs":{"type":"layers"}}',
  ]) {
    assert.throws(() => parseImageConfig(Buffer.from(text)), { code: 'invalid' }, text);
  }
  const deep = JSON.stringify({
    rootfs: { type: 'layers', diff_ids: Array.from({ length: 126 }, () => `sha256:${'1'.repeat(64)}`) },
  });
  assert.throws(() => parseImageConfig(Buffer.from(deep)), /max depth exceeded/);
});

test('chain ids follow the specification', () => {
  const [a, b] = ['a', 'b'].map((digit) => `sha256:${digit.repeat(64)}`) as [string, string];
  assert.deepEqual(chainIdsOf([a, b]), [a, digestOf(`${a} ${b}`)]);
});

test('manifests and indexes are parsed and encoded', () => {
  const blob = (digit: string, mediaType: string) => ({ mediaType, digest: `sha256:${digit.repeat(64)}`, size: 1 });
  const docker = encodeManifest({ config: blob('1', ''), layers: [blob('2', mediaTypes.dockerLayerGzip)] });
  assert.equal(docker.mediaType, mediaTypes.dockerManifest);
  assert.equal(docker.digest, digestOf(docker.body));
  assert.deepEqual(parseManifest(docker.body).layers, [blob('2', mediaTypes.dockerLayerGzip)]);
  const oci = encodeManifest({
    config: blob('1', ''),
    layers: [blob('2', mediaTypes.ociLayerZstd), blob('3', mediaTypes.dockerLayerGzip)],
  });
  assert.deepEqual(
    parseManifest(oci.body).layers.map(({ mediaType }) => mediaType),
    [mediaTypes.ociLayerZstd, mediaTypes.ociLayerGzip],
  );
  const entry = (digit: string, architecture: string, variant?: string) => ({
    ...blob(digit, mediaTypes.ociManifest),
    platform: { os: 'linux', architecture, variant },
  });
  const entries = parseIndex(
    Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        manifests: [entry('1', 'arm', 'v6'), entry('2', 'arm', 'v7'), entry('3', 'amd64'), blob('4', '')],
      }),
    ),
  );
  const picked = (platform: Parameters<typeof pickPlatform>[1]) => pickPlatform(entries, platform)?.digest.at(-1);
  assert.equal(picked(platformOf('x64')), '3');
  assert.equal(picked({ os: 'linux', architecture: 'arm', variant: 'v7' }), '2');
  assert.equal(picked(platformOf('s390x')), '4');
  assert.throws(() => parseManifest(Buffer.from('{"schemaVersion":1}')), { code: 'invalid' });
});

test('times of images are parsed', () => {
  assert.equal(parseTime('1970-01-01T00:00:01.5Z'), 1_500_000_000n);
  assert.equal(parseTime('1970-01-01T01:00:01.000000007+01:00'), 1_000_000_007n);
  assert.equal(parseTime('yesterday'), undefined);
  assert.equal(parseTime(undefined), undefined);
});

test('times of configurations are read as strictly as in Go', () => {
  const read = (created: unknown) =>
    parseImageConfig(Buffer.from(JSON.stringify({ created, rootfs: { type: 'layers' } }))).created;
  assert.equal(read(null), undefined);
  assert.equal(read('2024-02-29T23:59:59.1230000000007+02:00'), '2024-02-29T23:59:59.123+02:00');
  assert.equal(normalizeTime('2024-01-01T00:00:00,50Z'), '2024-01-01T00:00:00.5Z');
  for (const text of [
    '',
    'not a date',
    '2024-01-01',
    '2024-01-01t00:00:00z',
    '2024-01-01T24:00:00Z',
    '2024-02-31T00:00:00Z',
  ])
    assert.throws(() => read(text), {
      code: 'invalid',
      message: /at created: cannot parse ".*" as a time of RFC 3339/,
    });
});

test('names of fields match in any letter case, as in Go', () => {
  const digest = `sha256:${'1'.repeat(64)}`;
  const { os, env, diffIds, healthcheck, history } = parseImageConfig(
    Buffer.from(
      JSON.stringify({
        OS: 'linux',
        Config: { env: ['A=b'], healthCheck: { test: ['NONE'] } },
        RootFS: { Type: 'layers', DIFF_IDS: [digest] },
        History: [{ Created_By: 'x' }],
      }),
    ),
  );
  assert.deepEqual([os, env, diffIds, history], ['linux', ['A=b'], [digest], [{ createdBy: 'x' }]]);
  assert.deepEqual(healthcheck?.test, ['NONE']);
  const entry = {
    MediaType: mediaTypes.ociManifest,
    DIGEST: digest,
    Size: 1,
    Platform: { OS: 'linux', Architecture: 'arm' },
  };
  const [found] = parseIndex(Buffer.from(JSON.stringify({ SchemaVersion: 2, Manifests: [entry] })));
  assert.deepEqual([found?.digest, found?.platform?.architecture], [digest, 'arm']);
  const manifest = { SchemaVersion: 2, CONFIG: { Digest: digest, Size: 1 }, Layers: [] };
  assert.equal(parseManifest(Buffer.from(JSON.stringify(manifest))).config.digest, digest);
});

test('a manifest of what is no image, and digests that cannot be verified, are rejected with Docker’s messages', () => {
  const blob = (digest: string, mediaType: string) => ({ mediaType, digest, size: 1 });
  const sha256 = `sha256:${'1'.repeat(64)}`;
  const check = (configType: string, layer = sha256, type: string = mediaTypes.ociManifest): void =>
    checkManifest({ config: blob(sha256, configType), layers: [blob(layer, mediaTypes.ociLayer)] }, type);
  for (const type of [mediaTypes.ociConfig, mediaTypes.dockerConfig, 'application/octet-stream']) check(type);
  const helm = 'application/vnd.cncf.helm.config.v1+json';
  const rejected = (message: string): object => ({ code: 'invalid', message });
  assert.throws(() => check(helm), rejected(`unsupported media type ${helm}`));
  const plugin = 'application/vnd.docker.plugin.v1+json';
  assert.throws(
    () => check(plugin, sha256, mediaTypes.dockerManifest),
    rejected(`Encountered remote "${plugin}"(plugin) when fetching`),
  );
  const digests = {
    nothing: 'invalid checksum digest format',
    [`md5:${'1'.repeat(32)}`]: 'unsupported digest algorithm',
    [`sha512:${'1'.repeat(128)}`]: 'unsupported digest algorithm',
    [`sha512:${'1'.repeat(64)}`]: 'invalid checksum digest length',
    [`sha256:${'A'.repeat(64)}`]: 'invalid checksum digest format',
  };
  for (const [digest, problem] of Object.entries(digests))
    assert.throws(
      () => check(mediaTypes.ociConfig, digest),
      rejected(`could not validate layer digest "${digest}": ${problem}`),
    );
});
