/** `docker compose up` and `down` of ten services on three networks, compared with dockerd. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { docker, type Engine, engineLab, openEngines } from '../engine.ts';
import { inLab, say } from '../in-lab.ts';
import { type Comparison, formatComparison, formatTable, type Samples, timed } from '../measure.ts';
import { alternate } from '../scenarios.ts';

const lab = 'bench';

export interface ComposeOptions {
  rounds: number;
  archive: string;
}

const compose = (engine: Engine, ...args: string[]): Promise<string> =>
  docker(engine, 'compose', '--progress', 'quiet', '-f', join(import.meta.dirname, 'compose.yaml'), ...args);

/** Measures and prints the table. Needs the plugin of script/unpack-compose in DOCKER_CONFIG. */
export async function compareCompose({ rounds, archive }: ComposeOptions): Promise<void> {
  const config = join(import.meta.dirname, '../../node_modules/.cache/compose/config');
  if (!existsSync(config))
    throw new Error(`${config} is missing: run script/unpack-compose node_modules/.cache/compose`);
  process.env['DOCKER_CONFIG'] = config;
  const down: Record<Engine['name'], number[]> = { netyard: [], dockerd: [] };
  const up = await inLab(engineLab(lab), async () => {
    const engines = await openEngines(lab, archive);
    say('docker compose up and down …');
    const once = async (engine: Engine, round: number): Promise<number> => {
      const ms = await timed(() => compose(engine, 'up', '-d'));
      const downMs = await timed(() => compose(engine, 'down', '-v', '-t', '0'));
      if (round > 0) down[engine.name].push(downMs);
      return ms;
    };
    return await alternate(engines, rounds, once, 1);
  });
  const row = (name: string, ours: Samples, theirs: Samples): Comparison => ({
    ...{ name, ours, theirs, oursName: '', theirsName: 'dockerd', unit: 'ms', target: 0.5 },
  });
  const rows = [
    row('compose up, 10 services', up.netyard, up.dockerd),
    row('compose down -t 0', down.netyard, down.dockerd),
  ];
  console.log('Compose: medians (90th percentile in brackets); ratio = netyard / compared.\n');
  console.log(formatTable(rows.map(formatComparison)));
}
