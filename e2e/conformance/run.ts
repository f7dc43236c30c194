/** Runs the scenarios on both engines and judges their results. */
import { type HostPair, normalize, runOnBoth } from '../support/same-output.ts';
import { functions, type Scenario, type ScenarioGroup } from './scenario.ts';

export type Verdict = 'same' | 'different' | 'fails';

export interface Outcome {
  group: string;
  line: string;
  verdict: Verdict;
  reason: string;
  /** What was printed, when it differs. */
  netyard: string;
  dockerd: string;
}

interface CommandOutput {
  status: number;
  stdout: string;
  stderr: string;
}

const cleanUp = `
ids=$(docker ps -aq); [ -z "$ids" ] || docker rm -f $ids
nets=$(docker network ls -q --filter type=custom); [ -z "$nets" ] || docker network rm $nets
`;

/** JSON answers have their keys sorted: their order depends on the implementation. */
function sortKeys(text: string): string {
  return text
    .split('\n')
    .map((line) => (/^[[{]/.test(line) ? sortedJson(line) : line))
    .join('\n');
}

function sortedJson(line: string): string {
  try {
    return JSON.stringify(sorted(JSON.parse(line)));
  } catch {
    return line;
  }
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, part]) => [key, sorted(part)]));
}

export function comparable({ status, stdout, stderr }: CommandOutput): string {
  const text = normalize(`${sortKeys(stdout)}${stderr}status ${status}`);
  return text.replace(/\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b/g, '<mac>');
}

export interface RunChoices {
  /** Part of a scenario's line or of its group's title. */
  only?: RegExp;
  short?: boolean;
}

export function chosen(groups: readonly ScenarioGroup[], { only, short = false }: RunChoices): ScenarioGroup[] {
  return groups
    .filter((group) => !short || group.short)
    .map((group) => ({
      ...group,
      scenarios: group.scenarios.filter((each) => !only || only.test(group.title) || only.test(asScenario(each).line)),
    }))
    .filter(({ scenarios }) => scenarios.length > 0);
}

export const asScenario = (each: string | Scenario): Scenario => (typeof each === 'string' ? { line: each } : each);

/** Removes all containers and networks and prepares the hosts for a group. @param api version of the API of the lines */
export async function setUp(pair: HostPair, { title, setUp: lines }: ScenarioGroup, api: string): Promise<void> {
  const { ours, theirs } = await runOnBoth(pair, `${cleanUp}set -e\n${functions}${lines.join('\n')}`, { API: api });
  if (theirs.status !== 0) throw new Error(`${title}: dockerd: ${theirs.stderr}`);
  if (ours.status !== 0) throw new Error(`${title}: netyard: ${ours.stderr}`);
}

export async function runScenario(
  pair: HostPair,
  group: ScenarioGroup,
  scenario: Scenario,
  api: string,
): Promise<Outcome> {
  const { ours, theirs } = await runOnBoth(pair, `${functions}${scenario.line}`, { API: api });
  return judge(group, scenario, comparable(ours), comparable(theirs));
}

export async function* runScenarios(
  pair: HostPair,
  groups: readonly ScenarioGroup[],
  api: string,
): AsyncGenerator<Outcome> {
  for (const group of groups) {
    await setUp(pair, group, api);
    for (const scenario of group.scenarios.map(asScenario)) yield await runScenario(pair, group, scenario, api);
  }
}

function judge(group: ScenarioGroup, scenario: Scenario, netyard: string, dockerd: string): Outcome {
  const { line, differs: reason = '' } = scenario;
  const verdict = netyard === dockerd ? 'same' : reason === '' ? 'fails' : 'different';
  return { group: group.title, line, verdict, reason: verdict === 'different' ? reason : '', netyard, dockerd };
}

/** The newest version of the API that dockerd and Netyard both know. */
export async function commonVersion({ netyard, dockerd }: HostPair): Promise<string> {
  const versions = await Promise.all(
    [netyard, dockerd].map((host) => host.docker('version', '-f', '{{.Server.APIVersion}}')),
  );
  const minor = Math.min(...versions.map((version) => Number(version.split('.')[1])));
  return `1.${minor}`;
}
