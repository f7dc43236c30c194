/** A capture: its packets as they arrive, and the file, which is saved at the end. */
import { useCallback, useEffect, useRef, useState } from 'react';
import { capture } from '../server-connection.ts';
import { type CapturedPacket, PacketParser } from './pcapng.ts';
import { type PacketSummary, summarizePacket } from './summary.ts';

export interface PacketRow extends PacketSummary {
  number: number;
  /** Seconds since the first packet. */
  time: number;
  length: number;
}

export interface Capture {
  isRunning: boolean;
  message: string;
  /** The last packets, newest first. */
  rows: readonly PacketRow[];
  /** Of all packets. */
  count: number;
  start(request: { target: string; filter: string; seconds: number }, file: string): void;
  /** The file is saved with what has arrived. */
  stop(): void;
}

/** The file has all packets; more rows than these would make each update slow. */
const shownRows = 100;
/** Packets arrive in bursts: they are drawn together. */
const DRAW_MS = 250;

/** Packets of one capture, which change until they are drawn. */
class Growing {
  readonly #parser = new PacketParser();
  readonly #pieces: Uint8Array<ArrayBuffer>[] = [];
  #last: { number: number; packet: CapturedPacket }[] = [];
  #begin: number | undefined;
  count = 0;

  push(piece: Uint8Array<ArrayBuffer>): void {
    this.#pieces.push(piece);
    for (const packet of this.#parser.push(piece)) {
      this.#begin ??= packet.time;
      this.count += 1;
      this.#last.push({ number: this.count, packet });
    }
    this.#last = this.#last.slice(-shownRows);
  }

  rows(): PacketRow[] {
    const begin = this.#begin ?? 0;
    return this.#last
      .map(({ number, packet }) => {
        const { time, length } = packet;
        return { number, time: time - begin, length, ...summarizePacket(packet) };
      })
      .reverse();
  }

  file(): Blob {
    return new Blob(this.#pieces, { type: 'application/x-pcapng' });
  }
}

export function useCapture(): Capture {
  const [shown, setShown] = useState<{ rows: readonly PacketRow[]; count: number }>({ rows: [], count: 0 });
  const [message, setMessage] = useState('');
  const [isRunning, setRunning] = useState(false);
  const running = useRef<AbortController>(undefined);
  const stop = useCallback(() => running.current?.abort(), []);
  useEffect(() => stop, [stop]);
  const start: Capture['start'] = useCallback((request, file) => {
    const ending = new AbortController();
    running.current = ending;
    const growing = new Growing();
    const draw = (): void => setShown({ rows: growing.rows(), count: growing.count });
    const timer = setInterval(draw, DRAW_MS);
    setRunning(true);
    setMessage(`Capturing for ${request.seconds} s…`);
    capture(request, (piece) => growing.push(piece), ending.signal)
      .catch((error: unknown) => {
        if (!ending.signal.aborted) throw error;
      })
      .then(() => save(growing.file(), file))
      .then(
        () => setMessage(`Saved as ${file}; open it with: wireshark ${file}`),
        (error: unknown) => setMessage(error instanceof Error ? error.message : String(error)),
      )
      .finally(() => {
        clearInterval(timer);
        draw();
        setRunning(false);
      });
  }, []);
  return { isRunning, message, ...shown, start, stop };
}

function save(content: Blob, name: string): void {
  const address = URL.createObjectURL(content);
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  URL.revokeObjectURL(address);
}
