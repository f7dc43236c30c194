/** Which of the host's facts follow from its bridges. Pure. */
import type { BridgeSettings, HostFacts } from '../model.ts';

type BridgeFacts = Pick<HostFacts, 'isolates' | 'checksSources'>;

export const factsOfBridges = (bridges: readonly BridgeSettings[]): BridgeFacts => ({
  isolates: bridges.some(({ icc }) => !icc),
  checksSources: bridges.some(({ checksSources }) => checksSources),
});

/** The facts once this bridge exists as well; the cost does not depend on the number of bridges. */
export function withBridge(facts: HostFacts, bridge: BridgeSettings): HostFacts {
  const { isolates, checksSources } = factsOfBridges([bridge]);
  return { ...facts, isolates: facts.isolates || isolates, checksSources: facts.checksSources || checksSources };
}
