/**
 * Digests of what dumps of rtnetlink say about a namespace: equal as long as nothing changes that Netyard may have to
 * repair. Counters, lifetimes and times, which change by themselves, are left out. Pure.
 *
 * Nothing is decoded into objects: a digest is computed a hundred times a second.
 */
import { hostIsLittleEndian } from '../attribute.ts';
import { NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR } from '../message.ts';
import { RTM_NEWADDR } from '../rtnl/address.ts';
import { RTM_NEWLINK } from '../rtnl/link-message.ts';
import { RTM_NEWROUTE } from '../rtnl/route.ts';

const messageHeader = 16;
const attributeHeader = 4;
const NLA_TYPE_MASK = 0x3fff;
/** Lengths of struct ifinfomsg, ifaddrmsg and rtmsg. */
const headLength: Readonly<Record<number, number>> = { [RTM_NEWLINK]: 16, [RTM_NEWADDR]: 8, [RTM_NEWROUTE]: 12 };
/** IFA_CACHEINFO and RTA_CACHEINFO: lifetimes and last use. */
const cacheInfo: Readonly<Record<number, number>> = { [RTM_NEWADDR]: 6, [RTM_NEWROUTE]: 12 };
const IFF_UP = 1;
/** linux/if_link.h IFLA_ADDRESS, _IFNAME, _MTU, _LINK, _MASTER, _IFALIAS, _GROUP. */
const plainOfLink = new Set([1, 3, 4, 5, 10, 20, 27]);
const IFLA = { LINKINFO: 18, AF_SPEC: 26 } as const;
const IFLA_INFO = { KIND: 1, DATA: 2 } as const;
const AF = { INET: 2, INET6: 10 } as const;
/** IFLA_INET6_CONF, _ADDR_GEN_MODE: the settings; the others are counters, times and flags of the kernel's own. */
const ofInet6 = new Set([2, 8]);
/** Kinds that have settings to compare. Others have timers and counters among them, such as those of a bridge. */
const kindsWithSettings = new Set(['macvlan', 'ipvlan', 'vlan']);

/** Progress of a dump after one datagram. */
export interface DumpProgress {
  isDone: boolean;
  /** 0: success. */
  errno: number;
}

export class NamespaceDigest {
  #low = 0x811c9dc5 | 0;
  #high = 0x2545f491;

  /** The digest so far: 53 bits of two hashes. */
  get value(): number {
    return (this.#high >>> 11) * 2 ** 32 + (this.#low >>> 0);
  }

  /** Adds the messages of a datagram of a dump. */
  addDatagram(data: Uint8Array): DumpProgress {
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    let offset = 0;
    while (offset + messageHeader <= data.length) {
      const length = view.getUint32(offset, hostIsLittleEndian);
      if (length < messageHeader || offset + length > data.length) break;
      const type = view.getUint16(offset + 4, hostIsLittleEndian);
      if (type === NLMSG_DONE || type === NLMSG_ERROR) {
        const errno = length >= messageHeader + 4 ? 0 - view.getInt32(offset + messageHeader, hostIsLittleEndian) : 0;
        return { isDone: true, errno };
      }
      // An interrupted dump may lack something: its digest is not that of a complete one.
      if (view.getUint16(offset + 6, hostIsLittleEndian) & NLM_F_DUMP_INTR) this.#add(NLM_F_DUMP_INTR);
      this.#addMessage(view, type, offset + messageHeader, offset + length);
      offset += (length + 3) & ~3;
    }
    return { isDone: false, errno: 0 };
  }

  #addMessage(view: DataView, type: number, start: number, end: number): void {
    const head = headLength[type];
    if (head === undefined || start + head > end) return;
    this.#add(type);
    if (type === RTM_NEWLINK) {
      this.#add(view.getInt32(start + 4, hostIsLittleEndian));
      this.#add(view.getUint32(start + 8, hostIsLittleEndian) & IFF_UP);
      this.#addLink(view, start + head, end);
      return;
    }
    this.#addBytes(view, start, start + head);
    const left = cacheInfo[type];
    eachAttribute(view, start + head, end, (attribute, from, to) => {
      if (attribute !== left) this.#addAttribute(view, attribute, from, to);
    });
  }

  #addLink(view: DataView, start: number, end: number): void {
    eachAttribute(view, start, end, (type, from, to) => {
      if (plainOfLink.has(type)) this.#addAttribute(view, type, from, to);
      else if (type === IFLA.LINKINFO) this.#addLinkInfo(view, from, to);
      else if (type === IFLA.AF_SPEC) this.#addFamilies(view, from, to);
    });
  }

  #addLinkInfo(view: DataView, start: number, end: number): void {
    let hasSettings = false;
    eachAttribute(view, start, end, (type, from, to) => {
      if (type === IFLA_INFO.KIND) hasSettings = kindsWithSettings.has(textOf(view, from, to));
      if (type === IFLA_INFO.KIND || (type === IFLA_INFO.DATA && hasSettings)) this.#addAttribute(view, type, from, to);
    });
  }

  #addFamilies(view: DataView, start: number, end: number): void {
    eachAttribute(view, start, end, (family, from, to) => {
      if (family === AF.INET) this.#addAttribute(view, family, from, to);
      if (family !== AF.INET6) return;
      eachAttribute(view, from, to, (type, first, last) => {
        if (ofInet6.has(type)) this.#addAttribute(view, type, first, last);
      });
    });
  }

  #addAttribute(view: DataView, type: number, start: number, end: number): void {
    this.#add((type << 16) | (end - start));
    this.#addBytes(view, start, end);
  }

  #addBytes(view: DataView, start: number, end: number): void {
    let offset = start;
    for (; offset + 4 <= end; offset += 4) this.#add(view.getInt32(offset, true));
    for (; offset < end; offset += 1) this.#add(view.getUint8(offset));
  }

  /** Of FNV-1a, by words, once with the bits of the result rotated. */
  #add(word: number): void {
    this.#low = Math.imul(this.#low ^ word, 0x01000193);
    const mixed = Math.imul(this.#high ^ word, 0x85ebca6b);
    this.#high = (mixed << 13) | (mixed >>> 19);
  }
}

function eachAttribute(
  view: DataView,
  start: number,
  end: number,
  visit: (type: number, from: number, to: number) => void,
): void {
  let offset = start;
  while (offset + attributeHeader <= end) {
    const length = view.getUint16(offset, hostIsLittleEndian);
    if (length < attributeHeader || offset + length > end) return;
    const type = view.getUint16(offset + 2, hostIsLittleEndian) & NLA_TYPE_MASK;
    visit(type, offset + attributeHeader, offset + length);
    offset += (length + 3) & ~3;
  }
}

function textOf(view: DataView, start: number, end: number): string {
  let text = '';
  for (let offset = start; offset < end && view.getUint8(offset) !== 0; offset += 1)
    text += String.fromCharCode(view.getUint8(offset));
  return text;
}
