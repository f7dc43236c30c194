/** Scenarios of Swarm's commands on a host that is in no swarm. */
import { differs, type ScenarioGroup } from './scenario.ts';

const noSwarm = 'Netyard does not have Swarm, and says so with a hint; Docker would create one';
const file = 'echo "services: { a: { image: netyard-test } }" |';

export const swarmScenarios: readonly ScenarioGroup[] = [
  {
    title: 'swarm',
    short: true,
    setUp: [],
    scenarios: [
      'docker info -f "{{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}}"',
      'docker stack ls',
      `${file} docker stack deploy -c - a`,
      'docker stack services a',
      'docker stack ps a',
      'docker stack rm a',
      'docker service ls',
      'docker service create netyard-test',
      'docker service inspect a',
      'docker service logs a',
      'docker service rm a',
      'docker service scale a=2',
      'docker service update a',
      'docker node ls',
      'docker node inspect self',
      'docker node promote a',
      'docker secret ls',
      'echo x | docker secret create a -',
      'docker secret rm a',
      'docker config ls',
      'echo x | docker config create a -',
      'docker swarm leave',
      'docker swarm leave --force',
      'docker swarm join-token worker',
      'docker swarm unlock-key',
      'docker swarm update --autolock',
      'docker swarm ca',
      "api GET '/tasks'",
      "api GET '/swarm'",
      "api POST '/services/create' '{}'",
      "api POST '/services/a/update?version=1' '{}'",
      "api POST '/nodes/a/update?version=1' '{}'",
      differs("api POST '/swarm/init' '{}'", noSwarm),
      differs("api POST '/swarm/join' '{}'", noSwarm),
      'docker network create --scope swarm n',
    ],
  },
];
