/** Dockerfiles as the daemon reads them, and buildah's output as Docker's; messages of dockerd 28.5.2. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { buildImage } from './build-image.ts';
import { checkNetworks, commandOf, imagesOf, parseDockerfile, stagesUntil, textUntil } from './dockerfile.ts';
import { BuildOutput, LastLines } from './output.ts';

const none = new Map<string, string>();
const parse = (text: string, buildArgs: ReadonlyMap<string, string> = none) =>
  parseDockerfile(text, 'Dockerfile', buildArgs);

const text = `# comment
ARG BASE=netyard-test
FROM --platform=linux/amd64 \${BASE}:1 AS Build
RUN echo a \\
  # in between

  && echo b
COPY --from=tools:2 /x /y
RUN <<EOF
FROM nothing
EOF
FROM build AS test
from scratch
COPY --chown=1 --from=build /a /b
COPY --from=0 /c /d
RUN --mount=type=bind,from=busybox,target=/m true
`;

test('stages, steps and images are read', () => {
  const dockerfile = parse(text);
  assert.deepEqual(
    dockerfile.stages.map(({ name, base, steps }) => [name, base, steps.length]),
    [
      ['build', 'netyard-test:1', 4],
      ['test', 'build', 1],
      ['', 'scratch', 4],
    ],
  );
  assert.equal(dockerfile.stages[0]?.steps[1]?.text, 'RUN echo a   && echo b');
  assert.deepEqual(imagesOf(dockerfile.stages), ['netyard-test:1', 'tools:2', 'busybox']);
  assert.deepEqual(imagesOf(parse(text, new Map([['BASE', 'other']])).stages).slice(0, 1), ['other:1']);
});

test('ARG before FROM declares several variables, with those before in them', () => {
  const base = (args: string, given?: ReadonlyMap<string, string>) =>
    parse(`${args}\nFROM $IMAGE:$TAG`, given).stages[0]?.base;
  assert.equal(base('ARG IMAGE=app V=2\nARG TAG="$V.1" OTHER'), 'app:2.1');
  assert.equal(base('ARG IMAGE=app TAG', new Map([['TAG', '3']])), 'app:3');
});

test('a target is a name or a number, and ends the text', () => {
  const dockerfile = parse(text);
  const until = (target: string) => textUntil(text, dockerfile, stagesUntil(dockerfile, target));
  assert.equal(until('TEST'), text.slice(0, text.indexOf('\nfrom scratch')));
  assert.equal(until('0'), text.slice(0, text.indexOf('\nFROM build AS test')));
  assert.equal(until(''), text);
  assert.throws(() => until('none'), { message: 'target stage "none" could not be found' });
});

test('invalid Dockerfiles are rejected with the messages of Docker', () => {
  const cases: [string, string][] = [
    ['', 'the Dockerfile (Dockerfile) cannot be empty'],
    ['FROM a\nFOO x', 'dockerfile parse error on line 2: unknown instruction: FOO (did you mean FROM?)'],
    ['FROM a\nNONSENSE x', 'dockerfile parse error on line 2: unknown instruction: NONSENSE'],
    ['RUN x', 'no build stage in current context'],
    ['ARG A=1', 'No image was generated. Is your Dockerfile empty?'],
    ['FROM', 'dockerfile parse error on line 1: FROM requires either one or three arguments'],
    ['FROM a b', 'dockerfile parse error on line 1: FROM requires either one or three arguments'],
    [`ARG B=${'x'.repeat(2000)}\nFROM $B`, 'dockerfile parse error on line 2: base name ($B) is too long'],
    ['ARG B\nFROM $B', 'dockerfile parse error on line 2: base name ($B) should not be blank'],
  ];
  for (const [source, message] of cases) assert.throws(() => parse(source), { code: 'invalid', message }, source);
});

test('a command is shown as Docker shows it', () => {
  assert.equal(commandOf('exit 7', ['/bin/sh', '-c']), '/bin/sh -c exit 7');
  assert.equal(commandOf('--mount=type=tmpfs,target=/x false', ['sh', '-ec']), 'sh -ec false');
  assert.equal(commandOf('["sh", "-c", "exit 3"]', ['/bin/sh', '-c']), 'sh -c exit 3');
});

const outputOf = (source: string, lines: readonly string[]) => {
  const dockerfile = parse(source);
  const output = new BuildOutput(dockerfile, dockerfile.stages, false);
  return { shown: lines.flatMap((line) => output.add(line)).join(''), error: output.error() };
};

test('steps are counted over all stages', () => {
  const { shown } = outputOf('ARG B=x\nFROM $B AS one\nRUN a\nFROM one\nCMD b', [
    '[1/2] STEP 1/2: FROM x AS one',
    '[1/2] STEP 2/2: RUN a',
    'output of a',
    'time="2026-01-01" level=warning msg="of no interest"',
    `--> ${'a'.repeat(64)}`,
    `[2/2] STEP 1/2: FROM ${'a'.repeat(64)}`,
    '[2/2] STEP 2/2: CMD b',
    '[2/2] COMMIT',
    'Getting image source signatures',
    '[Warning] one or more build args were not consumed: [Z]',
    'b'.repeat(64),
  ]);
  assert.equal(
    shown,
    [
      'Step 1/5 : ARG B=x',
      'Step 2/5 : FROM $B AS one',
      'Step 3/5 : RUN a',
      'output of a',
      ' ---> aaaaaaaaaaaa',
      'Step 4/5 : FROM one',
      'Step 5/5 : CMD b',
      '[Warning] One or more build-args [Z] were not consumed',
      '',
    ].join('\n'),
  );
});

test('errors have Docker’s words and the exit code', () => {
  const failed = (source: string, ...lines: string[]) => outputOf(source, lines);
  const run = failed(
    'FROM x\nSHELL ["/bin/bash", "-c"]\nRUN exit 7',
    'STEP 1/3: FROM x',
    'STEP 2/3: SHELL ["/bin/bash", "-c"]',
    'STEP 3/3: RUN exit 7',
    'Error: this is what the command printed',
    'Error: building at STEP "RUN exit 7": while running runtime: exit status 7',
  );
  assert.ok(run.shown.endsWith('Error: this is what the command printed\n'));
  assert.deepEqual(run.error, {
    code: 7,
    message: "The command '/bin/bash -c exit 7' returned a non-zero code: 7",
  });
  const copy = failed(
    'FROM x\nCOPY missing /',
    'STEP 1/2: FROM x',
    'STEP 2/2: COPY missing /',
    'Error: building at STEP "COPY missing /": checking on sources under "/c": copier: stat: "/missing": no such file or directory',
  );
  assert.deepEqual(copy.error, {
    message:
      'COPY failed: file not found in build context or excluded by .dockerignore: stat missing: file does not exist',
  });
  assert.deepEqual(failed('FROM x', 'time="x" level=error msg="the \\"reason\\""').error, { message: 'the "reason"' });
});

test('a hostile Dockerfile of a megabyte is read in one pass', () => {
  const word = 'x'.repeat(1024 * 1024);
  assert.throws(() => parse(word), { code: 'invalid' });
  const stages = parse(
    Array.from({ length: 60_000 }, (_, index) => `FROM scratch AS s${index}\nCOPY --from=s0 a b`).join('\n'),
  ).stages;
  assert.deepEqual(imagesOf(stages), ['s0']); // by the first stage, which is not complete there
});

test('images of all mounts are found, however the flags are spaced', () => {
  const { stages } = parse(
    'FROM a\nRUN --mount=from=b,target=/b  --mount=type=bind,from=c,target=/c x\nCOPY  --link  --from=d / /',
  );
  assert.deepEqual(imagesOf(stages), ['a', 'b', 'c', 'd']);
  for (const step of ['COPY --from=$B / /', `RUN --mount=type=bind,from=\${B},target=/b x`]) {
    const wrong = parse(`ARG B=dir:/etc\nFROM a\n${step}`).stages;
    assert.throws(() => imagesOf(wrong), { code: 'invalid' }, step);
  }
});

test('only words that begin with << are here-documents', () => {
  const shown = (run: string) => parse(`FROM a\nRUN ${run}\nFROM b\nEOF`.replace(/\nEOF$/, '\nUSER EOF')).stages.length;
  for (const run of ['cat <<<EOF', 'echo "<<EOF"', 'echo x<<EOF']) assert.equal(shown(run), 2, run);
  for (const run of ['cat <<EOF', "cat 3<<-'EOF'"]) assert.equal(shown(run), 1, run);
});

test('RUN does not get the host’s network by itself', () => {
  assert.throws(() => checkNetworks(parse('FROM a\nRUN --mount=type=tmpfs,target=/t --network=host x').stages), {
    code: 'invalid',
    message: 'dockerfile parse error on line 2: network.host is not allowed',
  });
  checkNetworks(parse('FROM a\nRUN --network=none x --network=host').stages);
});

test('the kept output of a quiet build is limited by its length', () => {
  const kept = new LastLines(10);
  for (const line of ['a', 'b', '123456789', 'c', 'd']) kept.add(line);
  assert.deepEqual(kept.lines, ['c', 'd']);
  kept.add('x'.repeat(20));
  assert.deepEqual(kept.lines, ['x'.repeat(20)]);
});

test('a request that cannot succeed is rejected before anything is created', async () => {
  const created = new Error('a workspace was opened');
  const context = { builder: { open: () => Promise.reject(created) } } as unknown as Parameters<typeof buildImage>[0];
  const start = async (given: { tags?: string[]; networkMode?: string }) => {
    const options = { tags: [], networkMode: '', ...given } as unknown as Parameters<typeof buildImage>[2];
    await buildImage(context, Readable.from([]), options, new AbortController().signal).next();
  };
  const digest = `sha256:${'0'.repeat(64)}`;
  const message = 'build tag cannot contain a digest';
  await assert.rejects(start({ tags: [`app@${digest}`] }), { code: 'invalid', message });
  await assert.rejects(start({ tags: [`app:1@${digest}`] }), { code: 'invalid', message });
  await assert.rejects(start({ networkMode: 'container:c' }), { code: 'not-implemented' });
  await assert.rejects(start({ tags: ['app:1'] }), created);
});
