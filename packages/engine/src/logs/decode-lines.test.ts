import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChunkWriter } from './chunk-writer.ts';
import { type DecodeOptions, LineDecoder } from './decode-lines.ts';
import { LineEncoder } from './encode-lines.ts';
import { parseLogTime } from './json-file.ts';

const time = '2026-11-23T20:00:00.000000005Z';
const all: DecodeOptions = {
  stdout: true,
  stderr: true,
  since: undefined,
  until: undefined,
  timestamps: false,
  details: false,
  framed: false,
};

const entry = (log: string, stream = 'stdout', at = time, rest = ''): string =>
  `{"log":${JSON.stringify(log)},"stream":"${stream}"${rest},"time":"${at}"}`;

/** Chunks as `STREAM TEXT`. */
function decode(lines: readonly string[], change: Partial<DecodeOptions> = {}): string[] {
  const options = { ...all, ...change };
  const decoder = new LineDecoder(options);
  const chunks: string[] = [];
  const send = (stream: string, data: Uint8Array): void => void chunks.push(`${stream} ${Buffer.from(data)}`);
  const writer = new ChunkWriter(decoder, options.framed, send);
  for (const line of lines) {
    const source = Buffer.from(`xx${line}`);
    if (!decoder.isOver) writer.add(source, 2, source.length);
  }
  writer.flush();
  return chunks;
}

test('entries are gathered into chunks, with a new chunk at each change of stream', () => {
  const lines = [entry('a\n'), entry('b\n'), entry('c\n', 'stderr'), entry('d\n')];
  assert.deepEqual(decode(lines), ['stdout a\nb\n', 'stderr c\n', 'stdout d\n']);
  assert.deepEqual(decode(lines, { stdout: false }), ['stderr c\n']);
});

test('every JSON escape is decoded, also of other writers', () => {
  const text = '"\\/\b\f\n\r\t\u0000\u001b<é€😀\u2028\ufffd';
  assert.deepEqual(decode([entry(text)]), [`stdout ${text}`]);
  const foreign = `{"log":"\\u0041\\ud83d\\ude00\\/","stream":"stdout","time":"${time}"}`;
  assert.deepEqual(decode([foreign]), ['stdout A😀/']);
  const reordered = `{"time":"${time}", "stream":"stderr", "log":"x"}`;
  assert.deepEqual(decode([reordered]), ['stderr x']);
});

test('invalid entries are skipped', () => {
  assert.deepEqual(decode(['', '{', '{"log":"x', '{"log":"\\u00zz","stream":"stdout"}', 'null', entry('ok\n')]), [
    'stdout ok\n',
  ]);
});

test('frames, timestamps and details are added', () => {
  const [frame = ''] = decode([entry('a\n', 'stderr')], { framed: true });
  assert.equal(frame, 'stderr \u0002\0\0\0\0\0\0\u0002a\n');
  const attributes = ',"attrs":{"role":"web server","A":"1"}';
  const dressed = { timestamps: true, details: true };
  assert.deepEqual(decode([entry('a\n', 'stdout', time, attributes)], dressed), [
    `stdout ${time} A=1,role=web+server a\n`,
  ]);
  assert.deepEqual(decode([entry('a\n')], { details: true }), ['stdout  a\n']);
  const short = entry('a\n', 'stdout', '2026-11-23T20:00:00.5Z');
  assert.deepEqual(decode([short], { timestamps: true }), ['stdout 2026-11-23T20:00:00.500000000Z a\n']);
});

test('since and until apply, and decoding ends at the first later entry', () => {
  const at = (second: number): string => `2026-11-23T20:00:0${second}Z`;
  const lines = [1, 2, 3, 4].map((second) => entry(`${second}\n`, 'stdout', at(second)));
  assert.deepEqual(decode(lines, { since: parseLogTime(at(2)), until: parseLogTime(at(3)) }), ['stdout 2\n3\n']);
  const late = [entry('late\n', 'stdout', at(4)), entry('early\n', 'stdout', at(1))];
  assert.deepEqual(decode(late, { until: parseLogTime(at(2)) }), []);
});

test('encoded entries decode to the same output, in chunks of bounded size', () => {
  const encoder = new LineEncoder('stdout', '');
  const text = Array.from({ length: 5000 }, (_, n) => `${n} "é" <&> \t ${'x'.repeat(n % 90)}\n`).join('');
  const target = Buffer.alloc(1 << 20);
  const lines = target.subarray(0, encoder.encode(Buffer.from(text), target, Infinity, time, false)).toString();
  const chunks = decode(lines.split('\n').slice(0, -1));
  assert.equal(chunks.map((chunk) => chunk.slice('stdout '.length)).join(''), text);
  assert.ok(chunks.length > 3 && chunks.every((chunk) => Buffer.byteLength(chunk) <= 64 * 1024 + 7));
});
