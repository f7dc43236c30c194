/** `capture`: shows packets of a container, a network or an uplink with tcpdump, or writes a pcapng file. */
import type { Duplex } from 'node:stream';
import { type CaptureCall, CaptureReader } from '@netyard/client';
import { beginText, endText } from '../capture/messages.ts';
import { openSink, type PacketSink } from '../capture/sinks.ts';
import { Failure } from '../failure.ts';
import type { Context } from '../program/context.ts';
import type { Flags } from '../program/flags.ts';
import type { CommandSpec } from '../program/spec.ts';

const endingSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export const capture: CommandSpec = {
  usage: '[OPTIONS] TARGET [FILTER...]',
  args: [1, Number.POSITIVE_INFINITY],
  flags: [
    { name: 'count', short: 'c', type: 'int', help: 'Stop after this number of packets', check: checkPositive },
    { name: 'interface', short: 'i', type: 'string', help: 'Interface of the target, if it has several' },
    {
      name: 'snapshot-length',
      short: 's',
      type: 'int',
      help: 'Maximum number of bytes to capture of a packet (default 262144)',
      check: checkPositive,
    },
    { name: 'write', short: 'w', type: 'string', help: "Write a pcapng file ('-' for stdout) instead of text" },
  ],
  description:
    'TARGET is a container, a network, uplink (the interface of the default route), or one of these on a peer:\n' +
    'HOST/NAME. As root also a container or network of another engine (NAME, or ENGINE/NAME: docker, podman,\n' +
    'containerd) or a network namespace; these and uplink need no daemon.\n' +
    'A network with many containers has several bridges: what stays on one of them is on no other. The first line of\n' +
    'the output names them; -i selects one.\n' +
    'FILTER is a pcap-filter(7) expression; quote characters that are special to the shell.\n' +
    'Press Ctrl-C to stop. Prints packets with tcpdump of this machine; use -w to write a file without it.',
  examples: [
    'netyard capture web',
    'netyard capture bridge icmp',
    "netyard capture uplink -c 10 'tcp port 80'",
    'netyard capture web -w - | wireshark -k -i -',
    'sudo netyard capture docker/web icmp',
  ],
  complete: 'targets',
  run: async (context, { args: [target = '', ...filter], flags }) => {
    const openedSink = openSink(context, flags.text('write'));
    const call = { target, filter: filter.join(' '), link: flags.text('interface'), ...numbersOf(flags) };
    const stream = await openStream(context, call);
    try {
      return await follow(context, stream, await openedSink());
    } finally {
      stream.destroy();
    }
  },
};

/** Of Netyard's daemon, or of what it does not know: containers of other engines on this host. */
async function openStream(context: Context, call: CaptureCall): Promise<Duplex> {
  try {
    return await context.client().captures.open(call);
  } catch (error) {
    const { captureOther } = await import('../topology/capture.ts');
    return await captureOther(context, call, error);
  }
}

function checkPositive(text: string): void {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new Error('it must be a whole number above 0');
}

function numbersOf(flags: Flags): { count?: number; snapLength?: number } {
  return {
    ...(flags.has('count') ? { count: flags.number('count') } : {}),
    ...(flags.has('snapshot-length') ? { snapLength: flags.number('snapshot-length') } : {}),
  };
}

/** Runs until the capture ends, a signal stops it or the reader exits. */
async function follow(context: Context, stream: Duplex, sink: PacketSink): Promise<number> {
  const reader = new CaptureReader();
  const signals = endOnSignal(stream);
  let readerLeft = false;
  let isClosing = false;
  void sink.gone.then(() => {
    readerLeft = !isClosing;
    stream.destroy();
  });
  try {
    await pass(context, stream, sink, reader);
  } finally {
    signals.stop();
    isClosing = true;
    await sink.close();
  }
  context.warn(endText(reader));
  if (reader.tail?.problem) throw new Failure(reader.tail.problem);
  if (reader.tail) return 0;
  if (signals.times() > 1) return 130;
  throw new Failure(readerLeft ? 'tcpdump has ended before the capture' : 'the connection to the daemon was lost');
}

async function pass(context: Context, stream: Duplex, sink: PacketSink, reader: CaptureReader): Promise<void> {
  let announced = false;
  for await (const chunk of chunksOf(stream)) {
    reader.feed(chunk);
    if (!announced && reader.head) {
      context.warn(beginText(reader.head));
      announced = true;
    }
    await sink.write(chunk);
  }
}

/** A broken connection ends the chunks; the missing tail shows that the capture is incomplete. */
async function* chunksOf(stream: Duplex): AsyncGenerator<Uint8Array> {
  try {
    yield* stream as AsyncIterable<Uint8Array>;
  } catch (error) {
    if (!stream.destroyed) throw error;
  }
}

/** The first signal asks the daemon to stop, so that the counts still arrive; the second ends the command at once. */
function endOnSignal(stream: Duplex): { stop: () => void; times: () => number } {
  let times = 0;
  const onSignal = (): void => {
    times += 1;
    if (times === 1) stream.end();
    else stream.destroy();
  };
  for (const signal of endingSignals) process.on(signal, onSignal);
  return {
    stop: () => {
      for (const signal of endingSignals) process.off(signal, onSignal);
    },
    times: () => times,
  };
}
