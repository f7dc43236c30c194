/** Which peers' APIs answer: asked while a topology page is open, which then offers traces to their containers. */
import { openClient } from '@netyard/client';
import type { PeerApi, PeerState } from '@netyard/peers';
import type { Networks } from '@netyard/sandbox';
import type { PageSources } from '@netyard/web';

/** Timeout of the connection and of the answer. */
const answerMilliseconds = 3000;
/** A cluster may have a thousand hosts, of which the page shows some. */
const maximumPeers = 64;

/** `apiOf`: undefined for a peer that has none; it may throw instead. */
export const reachablePeers =
  (networks: Pick<Networks, 'peers'>, apiOf: (peer: PeerState) => PeerApi | undefined): PageSources['reachablePeers'] =>
  async (signal) => {
    const peers = (await networks.peers()).filter(({ record }) => record.network === undefined).slice(0, maximumPeers);
    const names = peers.map(async (peer) => ((await answers(() => apiOf(peer), signal)) ? [peer.record.name] : []));
    return (await Promise.all(names)).flat();
  };

async function answers(find: () => PeerApi | undefined, signal: AbortSignal): Promise<boolean> {
  const end = AbortSignal.any([signal, AbortSignal.timeout(answerMilliseconds)]);
  if (end.aborted) return false;
  let close = (): void => undefined;
  try {
    const api = find();
    if (api === undefined) return false;
    const { url, ca, certificate, key } = api;
    const client = openClient({ host: url, tls: { enabled: true, verify: true, ca, cert: certificate, key }, env: {} });
    close = () => client.close();
    end.addEventListener('abort', close, { once: true });
    await client.system.ping();
    return true;
  } catch {
    return false; // the trace itself says why
  } finally {
    end.removeEventListener('abort', close);
    close();
  }
}
