/**
 * The first probe of a trace: sent while only received packets are observed, which costs other traffic little. It is enough
 * when it is answered and nothing that was seen contradicts the prediction.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { HostNamespace } from '@netyard/topology';
import { agreesWithPrediction } from './agreement.ts';
import type { TraceCase } from './explain/case.ts';
import type { ProbeResult, Sighting, TraceEvidence } from './model.ts';
import { namespacesOf } from './observed-namespaces.ts';
import { collectPeer, joinPeer, type PeerPart, watchPeer } from './peer-part.ts';
import { type PreparedCase, predictCase } from './prepare.ts';
import type { Observation, Probe, TraceTools } from './tools.ts';

export interface FirstProbe {
  /** The case if the answer came soon and agrees with the prediction. */
  waitForAnswer(): Promise<TraceCase | undefined>;
  /** The case if the answer has come by now; `second`: how a second probe ended meanwhile, which was not answered. */
  lateAnswer(second?: ProbeResult): Promise<TraceCase | undefined>;
  /** The packets that were seen until now; undefined if none are observed. */
  peek(): Promise<Sighting[] | undefined>;
  /** Ends the observation of packets. An answer still counts, but the way that it takes is not seen. */
  reduce(): void;
  close(): void;
}

/** Most answers of one host come within a millisecond. A later one still counts while the second probe is prepared and sent. */
const soonMs = { onThisHost: 100, elsewhere: 300 } as const;
/** Longer than the rest of a trace. */
const longestMs = 10_000;

/** Throws what the tools throw; whatever was opened before is closed. */
export async function sendFirst(tools: TraceTools, prepared: PreparedCase, sender: HostNamespace): Promise<FirstProbe> {
  const probe = await tools.openProbe(sender, prepared.packet, prepared.request.size);
  try {
    const predicted = predictCase(prepared, sender, { ...prepared.packet, sourcePort: probe.sourcePort });
    const watching = watchPeer(predicted);
    const observation = await tools.watch(namespacesOf(predicted), predicted.packet);
    const peer = await watching;
    observation?.start();
    return new SentProbe(probe, predicted, observation, peer);
  } catch (error) {
    probe.close();
    throw error;
  }
}

class SentProbe implements FirstProbe {
  readonly #probe: Probe;
  readonly #predicted: PreparedCase;
  readonly #observation: Observation | undefined;
  readonly #peer: PeerPart;
  readonly #sent: Promise<void>;
  #result: ProbeResult | undefined;
  #isRefuted = false;

  constructor(probe: Probe, predicted: PreparedCase, observation: Observation | undefined, peer: PeerPart) {
    this.#probe = probe;
    this.#predicted = predicted;
    this.#observation = observation;
    this.#peer = peer;
    this.#sent = this.#send();
  }

  async #send(): Promise<void> {
    try {
      this.#result = await this.#probe.send(longestMs);
    } catch {
      // Closed before an answer came. What else fails also does so for the second probe, which reports it.
    }
  }

  async waitForAnswer(): Promise<TraceCase | undefined> {
    const { path, remote } = this.#predicted;
    const isElsewhere = path.end.kind === 'left' || remote !== undefined;
    const timer = new AbortController();
    const late = pause(isElsewhere ? soonMs.elsewhere : soonMs.onThisHost, undefined, { signal: timer.signal });
    await Promise.race([this.#sent, late.catch(() => undefined)]);
    timer.abort();
    const result = this.#answer();
    if (result === undefined) return undefined;
    const collecting = collectPeer(this.#peer, result);
    const seen = await this.#collect(result);
    const part = await collecting;
    const joined = joinPeer(seen, part);
    this.#isRefuted = (part !== undefined && 'problem' in part) || !agreesWithPrediction(joined);
    return this.#isRefuted ? undefined : joined;
  }

  async lateAnswer(second?: ProbeResult): Promise<TraceCase | undefined> {
    const result = this.#isRefuted ? undefined : this.#answer();
    if (result === undefined) return undefined;
    // The peer observes the second probe by now.
    const seen = await this.#collect(result);
    this.#isRefuted = !agreesWithPrediction(seen);
    if (this.#isRefuted) return undefined;
    const note = `why a second probe, sent before this answer came, had none (${second?.errno ?? second?.outcome})`;
    return second === undefined ? seen : { ...seen, evidence: { ...seen.evidence, incomplete: [note] } };
  }

  async peek(): Promise<Sighting[] | undefined> {
    return await this.#observation?.peek();
  }

  reduce(): void {
    this.#observation?.reduce();
  }

  #answer = (): ProbeResult | undefined => (this.#result?.outcome === 'answered' ? this.#result : undefined);

  async #collect(probe: ProbeResult): Promise<TraceCase & { evidence: TraceEvidence }> {
    const nothing = { sightings: [], verdicts: [], counters: [], drops: [], incomplete: [] };
    const seen = (await this.#observation?.collect()) ?? nothing;
    const { packet } = this.#predicted;
    return {
      ...this.#predicted,
      packet: { ...packet, ...(probe.source === undefined ? {} : { source: probe.source }) },
      evidence: { ...seen, probe, neighbours: [] },
      observed: this.#observation === undefined ? 'answer' : 'packets',
    };
  }

  close(): void {
    this.#observation?.close();
    this.#probe.close();
  }
}
