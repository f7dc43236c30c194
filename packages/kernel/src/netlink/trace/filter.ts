/**
 * The classic BPF program that selects a probe's packets on a packet socket of all links, whatever their link layer: see
 * linux/filter.h and Documentation/networking/filter.rst. Pure.
 */
import type { TraceMatch } from '../../packet-trace.ts';
import { concatBytes, hostIsLittleEndian, viewOf } from '../attribute.ts';
import { type Alternative, alternativesOf, etherType, protocolNumber } from './match.ts';

/** linux/if_arp.h: link types with an Ethernet header. */
export const ARPHRD_ETHER = 1;
export const ARPHRD_LOOPBACK = 772;
export const ethernetLength = 14;
export const vlanTagLength = 4;

/** Instruction codes: class, size, mode. */
const code = {
  loadWord: 0x20, // ld [k]
  loadHalfAt: 0x48, // ldh [x + k]
  loadByteAt: 0x50, // ldb [x + k]
  loadHalf: 0x28, // ldh [k]
  setIndex: 0x01, // ldx #k
  jump: 0x05,
  jumpIfEqual: 0x15,
  jumpIfSet: 0x45,
  and: 0x54, // a &= k
  add: 0x04, // a += k
  addIndex: 0x0c, // a += x
  shiftLeft: 0x64, // a <<= k
  toIndex: 0x07, // x = a
  fromIndex: 0x87, // a = x
  return: 0x06,
  store: 0x02, // M[k] = a
  load: 0x60, // a = M[k]
} as const;
/** Offsets of values that are not in the packet: SKF_AD_OFF and SKF_AD_PROTOCOL, SKF_AD_HATYPE. */
const ancillary = { protocol: -0x1000, hardwareType: -0x1000 + 28 } as const;

interface Instruction {
  code: number;
  k?: number;
  /** Labels; without one the next instruction follows. */
  yes?: string;
  no?: string;
  /** Label of this instruction. */
  at?: string;
}

/** Bytes of each matching packet that the socket keeps: Ethernet to the innermost transport header. */
export const snapLength = 192;

/** struct sock_filter, 8 bytes each. */
export function encodeProbeFilter(match: TraceMatch): Uint8Array {
  const alternatives = alternativesOf(match);
  return assemble([
    ...findNetworkHeader,
    ...([4, 6] as const).flatMap((family) => [
      { code: code.jumpIfEqual, k: family === 4 ? etherType.ip : etherType.ip6, no: `after-${family}` },
      ...(family === 4 ? readIpv4 : readIpv6),
      ...alternatives.filter((one) => one.family === family).flatMap((one, index) => test(one, `${family}-${index}`)),
      { code: code.return, k: 0 },
      { code: code.load, k: 1, at: `after-${family}` },
    ]),
    { code: code.return, k: 0, at: 'reject' },
    { code: code.return, k: snapLength, at: 'accept' },
  ]);
}

/** Only NDP neighbour advertisements (RFC 4861) of a link's IPv6 packets, for sockets that begin at the IP header. */
export const encodeAdvertisementFilter = (): Uint8Array =>
  assemble([
    { code: code.setIndex, k: 0 },
    { code: code.loadByteAt, k: 6 },
    { code: code.jumpIfEqual, k: protocolNumber.icmp6, no: 'reject' },
    { code: code.loadByteAt, k: 40 },
    { code: code.jumpIfEqual, k: 136, yes: 'accept' },
    { code: code.return, k: 0, at: 'reject' },
    { code: code.return, k: snapLength, at: 'accept' },
  ]);

/** x: offset of the network header; a and M[1]: EtherType. */
const findNetworkHeader: Instruction[] = [
  { code: code.loadWord, k: ancillary.hardwareType },
  { code: code.setIndex, k: 0 },
  { code: code.jumpIfEqual, k: ARPHRD_ETHER, yes: 'ethernet' },
  { code: code.jumpIfEqual, k: ARPHRD_LOOPBACK, no: 'type' },
  { code: code.setIndex, k: ethernetLength, at: 'ethernet' },
  { code: code.loadWord, k: ancillary.protocol, at: 'type' },
  { code: code.jumpIfEqual, k: etherType.vlan, no: 'network' },
  { code: code.setIndex, k: ethernetLength + vlanTagLength },
  { code: code.loadHalf, k: ethernetLength + 2 },
  { code: code.store, k: 1, at: 'network' },
];

/** M[0]: protocol; x: offset of the transport header. Rejects all but the first fragment, which alone has ports. */
const readIpv4: Instruction[] = [
  { code: code.loadHalfAt, k: 6 },
  { code: code.jumpIfSet, k: 0x1fff, yes: 'reject' },
  { code: code.loadByteAt, k: 9 },
  { code: code.store, k: 0 },
  { code: code.loadByteAt, k: 0 },
  { code: code.and, k: 0x0f },
  { code: code.shiftLeft, k: 2 },
  { code: code.addIndex },
  { code: code.toIndex },
];

const readIpv6: Instruction[] = [
  { code: code.loadByteAt, k: 6 },
  { code: code.store, k: 0 },
  { code: code.fromIndex },
  { code: code.add, k: 40 },
  { code: code.toIndex },
];

function test({ protocol, conditions }: Alternative, label: string): Instruction[] {
  const next = `next-${label}`;
  return [
    { code: code.load, k: 0 },
    { code: code.jumpIfEqual, k: protocol, no: next },
    ...conditions.flatMap(({ offset, length, values }, index) => {
      const holds = `${label}-${index}`;
      const compare = values.map((k, position) => ({
        ...{ code: code.jumpIfEqual, k, yes: holds },
        ...(position === values.length - 1 ? { no: next } : {}),
      }));
      const load = length === 1 ? code.loadByteAt : code.loadHalfAt;
      return [{ code: load, k: offset }, ...compare, { code: code.jump, k: 0, at: holds }];
    }),
    { code: code.return, k: snapLength },
    { code: code.jump, k: 0, at: next },
  ];
}

function assemble(program: readonly Instruction[]): Uint8Array {
  const labels = new Map(program.flatMap(({ at }, index) => (at === undefined ? [] : [[at, index] as const])));
  const distance = (label: string | undefined, from: number): number => {
    if (label === undefined) return 0;
    const jump = (labels.get(label) ?? 0) - from - 1;
    if (jump < 0 || jump > 255) throw new RangeError(`jump to ${label} does not fit`);
    return jump;
  };
  return concatBytes(
    program.map(({ code, k = 0, yes, no }, index) => {
      const bytes = new Uint8Array(8);
      const view = viewOf(bytes);
      view.setUint16(0, code, hostIsLittleEndian);
      bytes.set([distance(yes, index), distance(no, index)], 2);
      view.setInt32(4, k | 0, hostIsLittleEndian);
      return bytes;
    }),
  );
}
