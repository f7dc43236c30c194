/** Pure parts of watches: types of the kernel, programs, symbols. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNetyardError } from '@netyard/core';
import { SymbolSearch } from '../../system/kernel-symbols.ts';
import { KernelTypes } from '../../system/kernel-types.ts';
import { viewOf } from '../attribute.ts';
import { encodeWatch, type PacketFields } from './watch-program.ts';

/** BTF with these types, each as its words; names are offsets into the strings. */
function encodeTypes(strings: readonly string[], types: (nameOf: (text: string) => number) => number[][]): Buffer {
  const text = Buffer.from(`\0${strings.join('\0')}\0`);
  const nameOf = (name: string): number => (name === '' ? 0 : text.indexOf(`\0${name}\0`) + 1);
  const words = types(nameOf).flat();
  const file = Buffer.alloc(24 + words.length * 4 + text.length);
  file.writeUInt16LE(0xeb9f, 0);
  file.writeUInt32LE(24, 4);
  file.writeUInt32LE(0, 8);
  file.writeUInt32LE(words.length * 4, 12);
  file.writeUInt32LE(words.length * 4, 16);
  file.writeUInt32LE(text.length, 20);
  for (const [index, word] of words.entries()) file.writeInt32LE(word | 0, 24 + index * 4);
  text.copy(file, 24 + words.length * 4);
  return file;
}

test('fields are found in nested structs, bit fields with their bit, and values of enums with their names', () => {
  const strings = ['int', 'buff', 'len', 'kind', 'inner', 'reasons', 'NONE', 'LOST', 'btf_trace_lost', 'read'];
  const types = new KernelTypes(
    encodeTypes(strings, (name) => [
      [name('int'), 1 << 24, 4, 32], // 1
      [0, (5 << 24) | 1, 4, name('inner'), 1, 0], // 2: a union without a name
      [0, 10 << 24, 2], // 3: const
      // 4: with bit fields
      [...[name('buff'), (4 << 24) | 3 | (1 << 31), 16, name('len'), 1, 32], name('kind'), 1, (3 << 24) | 65, 0, 3, 96],
      [name('reasons'), (6 << 24) | 2, 4, name('NONE'), 0, name('LOST'), 7], // 5
      [name('btf_trace_lost'), 8 << 24, 1], // 6
      [name('read'), 12 << 24, 1], // 7
    ]),
  );
  assert.deepEqual(types.field('buff', 'len'), { offset: 4, shift: 0 });
  assert.deepEqual(types.field('buff', 'kind'), { offset: 8, shift: 1 });
  assert.deepEqual(types.field('buff', 'inner'), { offset: 12, shift: 0 });
  assert.deepEqual(
    [...types.enumNames('reasons')],
    [
      [0, 'NONE'],
      [7, 'LOST'],
    ],
  );
  assert.deepEqual([types.tracepoint('lost'), types.structId('buff')], [6, 4]);
  assert.deepEqual([types.functionId('read'), types.functionId('lost')], [7, undefined]);
  const isUnavailable = (error: unknown): boolean => isNetyardError(error, 'unavailable');
  assert.throws(() => types.field('buff', 'none'), isUnavailable);
  assert.throws(() => types.field('int', 'len'), isUnavailable);
  assert.throws(() => types.tracepoint('found'), isUnavailable);
  assert.throws(() => new KernelTypes(Buffer.alloc(30)), /BTF/);
});

const fields: PacketFields = {
  ...{ data: 200, head: 192, networkHeader: 180, device: 16, socket: 24, packetType: 128, length: 112 },
  ...{ linkIndex: 224, deviceNamespace: 264, socketNamespace: 48, namespaceInode: 152 },
};

test('programs jump forwards only, inside themselves, for every kind of probe', () => {
  for (const kind of ['in', 'out', 'drop'] as const) {
    for (const protocol of ['tcp', 'udp', 'icmp'] as const) {
      for (const family of [4, 6] as const) {
        for (const vxlanPorts of [[], [4789, 8472]]) {
          const places = vxlanPorts.length === 0 ? fields : { ...fields, cast: { function: 7, header: 8 } };
          const program = encodeWatch(kind, { family, protocol, id: 40_000, vxlanPorts }, places, 9);
          const view = viewOf(program);
          assert.equal(program.at(-8), 0x95, 'ends with exit');
          for (let at = 0; at < program.length; at += 8) {
            const code = view.getUint8(at);
            if (![0x05, 0x15, 0x55].includes(code)) continue;
            const distance = view.getInt16(at + 2, true);
            assert.ok(distance >= 0 && at + 8 * (distance + 1) < program.length, `${kind} ${protocol} ${at / 8}`);
          }
        }
      }
    }
  }
});

test('an address belongs to the last function before it; hidden symbols name nothing', () => {
  const search = new SymbolSearch([0xffffffff81000015n, 0xffffffffc0000010n, 0x10n]);
  for (const line of [
    'ffffffff81000000 T first',
    'ffffffff81000010 t ip_error',
    'ffffffff81000014 d data',
    'ffffffff81000020 T after',
    'ffffffffc0000000 t nft_do_chain	[nf_tables]',
    '0000000000000000 T hidden',
  ])
    search.add(line);
  assert.deepEqual(
    [...search.found()],
    [
      [0xffffffff81000015n, 'ip_error'],
      [0xffffffffc0000010n, 'nft_do_chain'],
    ],
  );
});
