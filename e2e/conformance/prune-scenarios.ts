/** Scenarios of the prune commands and their filters. */
import type { ScenarioGroup } from './scenario.ts';

const calls = ['images', 'containers', 'volumes', 'networks', 'build'];

export const pruneScenarios: readonly ScenarioGroup[] = [
  {
    title: 'prune',
    setUp: [
      'docker system prune -f --volumes > /dev/null',
      'docker create --name one -l a=b netyard-test true; docker create --name two -l c=d netyard-test true',
      "docker commit -c 'LABEL a=b' one; docker commit -c 'LABEL e=f' one kept:1",
      'docker network create n1; docker network create --label a=b n2',
      'docker volume create named; docker volume create --label a=b; docker volume create',
    ],
    scenarios: [
      `api GET '/system/df?type=unknown'`,
      `api GET '/system/df?type=volume' | jq -c 'objects | .Images, .Containers'`,
      "docker image prune -f --filter label=none; docker image prune -f --filter 'label!=a'; docker image prune -f --filter until=24h",
      "docker system prune -f --filter label=a=b; docker ps -a --format '{{.Names}}'; docker images --format '{{.Repository}}' | sort; docker volume ls -q | wc -l",
      'docker system prune -f --filter until=1h; docker system prune -f --volumes --filter until=1h; docker system prune -f --filter x=y',
      'docker image prune -f --filter x=y; docker image prune -f --filter dangling=false; docker image prune -f --filter until=x',
      'docker image prune -f --filter until=1h --filter until=2h; docker image prune -f --filter dangling=x',
      'docker volume prune -f --filter all=x; docker volume prune -f --filter x=y; docker volume prune -f --filter label=none',
      'docker container prune -f --filter x=y; docker container prune -f --filter until=x; docker network prune -f --filter x=y',
      'docker builder prune -f; docker builder prune -af --filter until=24h; docker builder prune -f --filter x=y',
      ...calls.map((name) => `api POST '/${name}/prune?filters=%7B%22x%22:%5B%22y%22%5D%7D'`),
      ...calls.map((name) => `api POST '/${name}/prune?filters=%7B%22label%22:%5B%22none%22%5D%7D'`),
      "docker events --since 1h --until 0s --filter event=prune --format '{{.Type}} {{.Action}} {{json .Actor}}' | sort -u",
    ],
  },
];
