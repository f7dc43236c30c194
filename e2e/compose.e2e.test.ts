/**
 * Compose projects with `docker compose`: the same transcripts on Netyard and on dockerd. NETYARD_COMPOSE=DIR names the
 * folder that `script/unpack-compose DIR` filled.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { testSameOutput } from './support/same-output.ts';

const unpacked = process.env['NETYARD_COMPOSE'] ?? '';
const skip =
  !existsSync(join(unpacked, 'complete')) && 'NETYARD_COMPOSE names no folder that script/unpack-compose filled';

/** Compose prints what it does in no fixed order, and each object twice. */
const compose = (command: string): string => `docker compose --progress plain ${command} 2>&1 | sort -u`;
const eventually = (command: string): string =>
  `timeout 60 sh -c "until ${command} > /dev/null 2>&1; do sleep 0.1; done"`;

const environment = { DOCKER_CONFIG: join(unpacked, 'config') };
const folderOf = (project: string): string => join(import.meta.dirname, 'compose', project);

testSameOutput(
  'docker compose: services, networks and volumes, with the same output as on dockerd',
  {
    images: ['nginx-app01', 'netyard-test'],
    skip,
    environment,
    folder: folderOf('shop'),
  },
  [
    compose('up -d'),
    "docker compose ps --format '{{.Service}} {{.Name}} {{.State}} {{.Health}}' | sort",
    'docker network ls --filter label=com.docker.compose.project=shop --format "{{.Name}} {{.Driver}} {{.Scope}}"',
    'docker network inspect shop_back -f "{{.Internal}} {{(index .IPAM.Config 0).Subnet}} {{json .Labels}}"',
    'docker inspect shop-db-1 -f "{{json .NetworkSettings.Networks.shop_back.IPAMConfig}}"',
    'docker volume ls -q --filter label=com.docker.compose.project=shop',
    `${eventually('docker compose exec -T client wget -qO- http://web/')}; docker compose exec -T client wget -qO- http://www/`,
    'docker compose exec -T web ping -c 1 -W 30 store | head -n 1',
    '! docker compose exec -T client ping -c 1 -W 1 10.7.0.9',
    '! docker compose exec -T client ping -c 1 -W 1 db',
    'docker compose exec -T db ip route | grep -v default',
    'curl -s http://172.16.2.101:8080/',
    'docker compose logs client',
    compose('up -d'),
    compose('up -d --scale client=3'),
    "docker compose ps client --format '{{.Name}} {{.State}}' | sort",
    `COLOR=green ${compose('up -d')}`,
    'docker compose exec -T client env | grep COLOR',
    `NOTE=second ${compose('up -d')}`,
    'docker compose exec -T db sh -c \'echo $NOTE; ip addr show eth0 | grep -o "inet [^ ]*"\'',
    compose('restart -t 0 web'),
    `${eventually('docker compose exec -T client wget -qO- http://web/')}; docker compose exec -T client wget -qO- http://www/`,
    compose('stop -t 0 db'),
    compose('up -d'),
    'docker compose exec -T db cat /data/state',
    compose('run --rm client echo once'),
    compose('down -t 0'),
    'docker volume ls -q',
    compose('up -d'),
    compose('down -t 0 -v'),
    'docker ps -aq; docker volume ls -q; docker network ls --format "{{.Name}}"',
  ],
);

testSameOutput(
  'docker compose: links, other projects and shared namespaces, with the same output as on dockerd',
  { images: ['nginx-app01', 'netyard-test'], skip, environment, folder: folderOf('legacy') },
  [
    'docker network create shared > /dev/null; docker run -d --name outside --network shared netyard-test sleep 1000',
    compose('up -d'),
    "docker compose ps --format '{{.Service}} {{.Name}} {{.State}}' | sort",
    'docker compose exec -T web ping -c 1 -W 30 database | head -n 1',
    'docker compose exec -T web ping -c 1 -W 30 mail | head -n 1',
    'docker compose exec -T web cat /sys/class/net/eth0/mtu /sys/class/net/eth1/mtu | sort',
    `${eventually('docker compose exec -T sidecar wget -qO- http://127.0.0.1/')}; docker compose exec -T sidecar wget -qO- http://127.0.0.1/ | head -n 2`,
    'docker compose exec -T db head -n 1 /etc/settings /run/secrets/password',
    `docker network inspect legacy_default -f '{{json .Options}} {{index .Labels "tier"}}'`,
    "docker inspect legacy-sidecar-1 -f '{{json .NetworkSettings.Networks}}'",
    compose('up -d'),
    compose('down -t 0'),
    'docker network ls --format "{{.Name}}"',
    'docker rm -f outside; docker network rm shared',
  ],
);
