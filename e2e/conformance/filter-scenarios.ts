/** Scenarios of the filters of networks, and of references to networks. */
import { differs, reasons, type ScenarioGroup } from './scenario.ts';

const list = (filter: string): string =>
  `docker network ls --format '{{.Name}} {{.Driver}} {{.Scope}}' ${filter} | sort`;
const query = (filters: object | string): string => encodeURIComponent(JSON.stringify(filters));
const listApi = (filters: object): string =>
  `api GET '/networks?filters=${query(filters)}' | jq -c 'if type == "array" then map(.Name) | sort else . end'`;
const some =
  'docker network create p1 > /dev/null; docker network create --label a=b p2 > /dev/null; docker network create --label a=c --label d p3 > /dev/null';
const removeSome = 'docker network rm p1 p2 p3 > /dev/null 2>&1';
/** Deleted networks are sorted: Docker's order is random. */
const pruneApi = (filters: object): string =>
  `${some}; api POST '/networks/prune?filters=${query(filters)}' | jq -c 'if type == "object" then (.NetworksDeleted | arrays) |= sort else . end'; ${removeSome}`;
const prune = (options: string): string => `${some}; docker network prune -f ${options} | sort; ${removeSome}`;

export const filterScenarios: readonly ScenarioGroup[] = [
  {
    title: 'filters of networks',
    setUp: [
      'docker network create --label team=a --label x --internal front',
      'docker network create --label team=b back',
      'docker network create --label team= empty',
      'docker network create --config-only cfg',
      'docker network create --config-from cfg fromcfg',
      'start c1 --network front --network back',
      'docker network create abc',
    ],
    scenarios: [
      ...[
        'label=team=',
        'label=team=a --filter name=fr',
        'label=x=',
        'label==',
        'label=',
        'label=TEAM',
        'label=team=a,b',
        'label!=team',
        'name=',
        'name=FRONT',
        '"name=f.*t"',
        '"name=["',
        'name=^ab',
        'name',
        'id=',
        'driver=',
        'driver=bridge --filter driver=host',
        'scope=global',
        'scope=local --filter scope=swarm',
        'type=custom --filter type=builtin',
        'type=',
        'dangling=true --filter dangling=false',
        'dangling=',
        'until=1h',
        'name=front --filter name=back --filter label=team=a',
        'driver=bridge --filter type=custom --filter scope=local --filter name=c',
        'config-only=true',
      ].map((filter) => list(`--filter ${filter}`)),
      differs(list('--filter dangling=1'), reasons.dangling),
      differs(listApi({ dangling: ['true'] }), reasons.dangling),
      ...[
        {},
        { name: [] },
        { label: ['team=a'], name: ['back'] },
        { label: { 'team=a': true, x: true } },
        { label: { 'team=a': false } },
        { dangling: ['x', 'true'] },
        { name: 'front' },
        { name: [5] },
        { nosuch: [] },
        { id: [''] },
      ].map(listApi),
      "api GET '/networks?filters=null' | jq length",
      "api GET '/networks?filters=5'",
      ...[
        { label: ['a'] },
        { label: ['a=b'] },
        { 'label!': ['a'] },
        { label: ['a'], 'label!': ['d'] },
        { label: ['a=b', 'a=c'] },
        { until: ['1h'] },
        { until: ['2999-01-01'] },
        { until: ['1h', '2h'] },
        { dangling: ['true'] },
        { name: ['p1'] },
      ].map(pruneApi),
      ...['--filter label!=d --filter label=a', '--filter until=', '--filter "until=1s ago"'].map(prune),
      prune('--filter until=$(($(date +%s) + 100))'),
      'echo n | docker network prune',
    ],
  },
  {
    title: 'references to networks',
    setUp: ['docker network create front', 'docker network create back', 'start c1 --network front'],
    scenarios: [
      ...['$(docker network ls -q --no-trunc -f name=front)', 'fron', 'front/', '../networks', '%2e', 'Front'].map(
        (reference) => `docker network inspect -f '{{.Name}}' "${reference}"`,
      ),
      `id=$(docker network ls -q -f name=back | cut -c 1-6); docker network create $id > /dev/null; docker network inspect -f '{{len .Name}}' $id; docker network rm $id | wc -c; docker network inspect -f '{{.Name}}' $id; docker network connect $id c1; docker network disconnect $id c1`,
      `docker create --name c2 --network $(docker network ls -q -f name=back) netyard-test sleep 9 > /dev/null; docker start c2; docker inspect c2 | jq -c '.[0].NetworkSettings.Networks | keys | map(length)'; docker rm -f c2`,
      ...['GET /networks/zz', 'PUT /networks/front', 'POST /networks/front', 'GET /networks/a/b'].map(
        (call) => `api ${call}`,
      ),
      'docker network rm back; docker network rm -f back; docker network create back > /dev/null',
      `docker network rm front back nosuch 2>&1 | sed 's/id:.[0-9a-f]*./ID/'; docker network create back > /dev/null`,
      `docker network rm -f nosuch back 2>&1; docker network create back > /dev/null`,
      `docker create --name c2 --network back netyard-test sleep 9 > /dev/null; docker network rm back; docker start c2; docker network create back > /dev/null; docker start c2; docker rm -f c2`,
    ],
  },
];
