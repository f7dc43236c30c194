/** Which of the host's facts follow from its bridges. Pure. */
import type { BridgeSettings, HostFacts } from '../model.ts';

type BridgeFacts = Pick<HostFacts, 'isolates' | 'checksSources' | 'ipv6Networks'>;

export const factsOfBridges = (bridges: readonly BridgeSettings[]): BridgeFacts => ({
  isolates: bridges.some(({ icc }) => !icc),
  checksSources: bridges.some(({ checksSources }) => checksSources),
  ipv6Networks: bridges.some(({ v6 }) => v6 !== undefined),
});

/** The facts once this bridge exists as well; the cost does not depend on the number of bridges. */
export function withBridge(facts: HostFacts, bridge: BridgeSettings): HostFacts {
  const own = factsOfBridges([bridge]);
  return {
    ...facts,
    isolates: facts.isolates || own.isolates,
    checksSources: facts.checksSources || own.checksSources,
    ipv6Networks: facts.ipv6Networks || own.ipv6Networks,
  };
}
