/** All scenarios of `script/conformance`, one line each. */
import { addressScenarios } from './address-scenarios.ts';
import { commitScenarios } from './commit-scenarios.ts';
import { createScenarios } from './create-scenarios.ts';
import { endpointScenarios } from './endpoint-scenarios.ts';
import { filterScenarios } from './filter-scenarios.ts';
import { inspectScenarios } from './inspect-scenarios.ts';
import { ipv6NetworkScenarios } from './ipv6-network-scenarios.ts';
import { ipv6Scenarios } from './ipv6-scenarios.ts';
import { listScenarios } from './list-scenarios.ts';
import { logScenarios } from './log-scenarios.ts';
import { modeScenarios } from './mode-scenarios.ts';
import { mountScenarios } from './mount-scenarios.ts';
import { parentScenarios } from './parent-scenarios.ts';
import { portScenarios } from './port-scenarios.ts';
import { pruneScenarios } from './prune-scenarios.ts';
import { runScenarios } from './run-scenarios.ts';
import type { ScenarioGroup } from './scenario.ts';
import { swarmScenarios } from './swarm-scenarios.ts';
import { trafficScenarios } from './traffic-scenarios.ts';
import { versionScenarios } from './version-scenarios.ts';

export const scenarioGroups: readonly ScenarioGroup[] = [
  ...createScenarios,
  ...addressScenarios,
  ...ipv6NetworkScenarios,
  ...listScenarios,
  ...filterScenarios,
  ...endpointScenarios,
  ...modeScenarios,
  ...versionScenarios,
  ...trafficScenarios,
  ...ipv6Scenarios,
  ...portScenarios,
  ...parentScenarios,
  ...mountScenarios,
  ...inspectScenarios,
  ...logScenarios,
  ...runScenarios,
  ...commitScenarios,
  ...pruneScenarios,
  ...swarmScenarios,
];
