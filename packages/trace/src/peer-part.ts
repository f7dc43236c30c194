/** The part of a trace on the peer: what it observes of a probe, joined with what was observed here. */
import { messageOf } from '@netyard/core';
import type { TraceCase } from './explain/case.ts';
import { withEvidence } from './hosts/remote-case.ts';
import type { FlowEvidence, ProbeResult } from './model.ts';
import type { PreparedCase } from './prepare.ts';
import type { FlowSession } from './tools.ts';

/** What the peer's part came to: a session that observes, or why there is none. */
export type PeerPart = { session: FlowSession } | { problem: string } | undefined;

/** Its received packets only; undefined where the peer cannot observe those alone. */
export async function watchPeer({ asked, remote }: PreparedCase): Promise<PeerPart> {
  if (asked === undefined || remote?.trace === undefined) return undefined;
  try {
    return (await asked.session.watch(remote.trace.packet)) ? { session: asked.session } : undefined;
  } catch (error) {
    return { problem: messageOf(error) };
  }
}

export async function armPeer({ asked, remote }: PreparedCase): Promise<PeerPart> {
  if (asked === undefined || remote?.trace === undefined) return undefined;
  try {
    await asked.session.arm(remote.trace.packet);
    return { session: asked.session };
  } catch (error) {
    return { problem: messageOf(error) };
  }
}

export async function collectPeer(
  part: PeerPart,
  result: ProbeResult,
): Promise<{ seen: FlowEvidence } | { problem: string } | undefined> {
  if (part === undefined || 'problem' in part) return part;
  try {
    return { seen: await part.session.collect(result) };
  } catch (error) {
    return { problem: messageOf(error) };
  }
}

export function joinPeer(local: TraceCase, part: Awaited<ReturnType<typeof collectPeer>>): TraceCase {
  const { remote } = local;
  if (part === undefined || remote === undefined) return local;
  if ('seen' in part) return { ...local, remote: withEvidence(remote, local, part.seen) };
  const { trace: _, ...rest } = remote;
  return { ...local, remote: { ...rest, problem: part.problem } };
}
