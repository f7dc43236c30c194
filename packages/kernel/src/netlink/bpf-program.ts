/** Instructions of BPF programs, and parts that programs share: see Documentation/bpf/standardization. Pure. */
import { concatBytes, hostIsLittleEndian, viewOf } from './attribute.ts';

/** linux/bpf.h, enum bpf_func_id. */
export const helper = { mapLookup: 1, mapUpdate: 2, ktime: 5, mapPush: 87, probeRead: 113 } as const;
export const op = {
  ...{ move: 0xbf, set: 0xb7, add: 0x0f, addNumber: 0x07, and: 0x57, shiftRight: 0x77 },
  ...{ load1: 0x71, load2: 0x69, load4: 0x61, load8: 0x79, store4: 0x63, store8: 0x7b },
  ...{ storeNumber4: 0x62, storeNumber8: 0x7a, addToMemory8: 0xdb, number64: 0x18 },
  ...{ jump: 0x05, jumpIfEqual: 0x15, jumpUnless: 0x55, jumpIfSame: 0x1d, call: 0x85, exit: 0x95 },
} as const;
/** Calls keep r6 to r9; r10 is the frame pointer. */
export const registers = { r0: 0, r1: 1, r2: 2, r3: 3, r4: 4, r6: 6, r7: 7, r8: 8, r9: 9, r10: 10 } as const;
const { r1, r2, r3, r10 } = registers;
const BPF_PSEUDO_MAP_FD = 1;

export interface Instruction {
  code: number;
  to?: number;
  from?: number;
  offset?: number;
  number?: number;
  /** Label to jump to. */
  jump?: string;
  /** Label of this instruction. */
  at?: string;
}

/** Copies memory of the kernel to the stack; what cannot be read becomes 0, and r0 an error. */
export const read = (target: number, length: number, source: number, offset = 0): Instruction[] => [
  { code: op.move, to: r3, from: source },
  { code: op.addNumber, to: r3, number: offset },
  { code: op.move, to: r1, from: r10 },
  { code: op.addNumber, to: r1, number: target },
  { code: op.set, to: r2, number: length },
  { code: op.call, number: helper.probeRead },
];

/** Puts a map, given by its descriptor, into a register. */
export const mapDescriptor = (to: number, fd: number): Instruction[] => [
  { code: op.number64, to, from: BPF_PSEUDO_MAP_FD, number: fd },
  { code: 0 }, // the upper half of the number
];

/** A place to jump to: `ja +0`. */
export const nothing = (at: string): Instruction => ({ code: op.jump, at });

/** struct bpf_insn, 8 bytes each. */
export function assemble(program: readonly Instruction[]): Uint8Array {
  const labels = new Map(program.flatMap(({ at }, index) => (at === undefined ? [] : [[at, index] as const])));
  return concatBytes(
    program.map(({ code, to = 0, from = 0, offset = 0, number = 0, jump }, index) => {
      const bytes = new Uint8Array(8);
      const view = viewOf(bytes);
      view.setUint8(0, code);
      view.setUint8(1, hostIsLittleEndian ? (from << 4) | to : (to << 4) | from);
      view.setInt16(2, jump === undefined ? offset : (labels.get(jump) ?? 0) - index - 1, hostIsLittleEndian);
      view.setInt32(4, number, hostIsLittleEndian);
      return bytes;
    }),
  );
}
