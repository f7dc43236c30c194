/**
 * Compose projects, and the commands whose transcripts are compared with dockerd's. `script/test` runs the commands that
 * are marked as short, `script/compose` all of them.
 */
import { join } from 'node:path';
import type { ImageName } from '../support/images.ts';

export interface Command {
  line: string;
  /** Left out by script/test, because a command before or after it covers most of it. */
  full?: true;
}

export interface Project {
  title: string;
  folder: string;
  images: readonly ImageName[];
  /** Needs the image `proxy` with the program of that name. */
  proxy?: true;
  /** For docker-compose 1. */
  old?: true;
  /** Needs a dockerd of version 28 to compare with. */
  newer?: true;
  commands: readonly (string | Command)[];
}

/** Compose prints what it does in no fixed order, and each object twice. */
const compose = (command: string): string => `docker compose --progress plain ${command} 2>&1 | sort -u`;
const full = (line: string): Command => ({ line, full: true });
/** Repeats a command until it succeeds; its output is not compared. */
const settle = (command: string): string =>
  `for i in $(seq 100); do if ${command}; then break; fi; sleep 0.1; done > /dev/null 2>&1`;

const states = "docker compose ps -a --format '{{.Service}} {{.Name}} {{.State}} {{.Health}}' | sort";
const inClient = (command: string): string => `docker compose exec -T client ${command}`;

const shop: Project = {
  title: 'services, networks, volumes, secrets and configs',
  folder: 'shop',
  images: ['nginx-app01', 'netyard-test'],
  commands: [
    full(compose('config -q')),
    compose('up -d'),
    states,
    'docker network ls --filter label=com.docker.compose.project=shop --format "{{.Name}} {{.Driver}} {{.Scope}}"',
    'docker network inspect shop_back -f "{{.Internal}} {{(index .IPAM.Config 0).Subnet}} {{json .Labels}}"',
    full('docker inspect shop-db-1 -f "{{json .NetworkSettings.Networks.shop_back.IPAMConfig}}"'),
    full('docker volume ls -q --filter label=com.docker.compose.project=shop'),
    `${settle(inClient('wget -qO- http://web/'))}; ${inClient('wget -qO- http://www/site.txt http://app/secrets')}`,
    'docker compose exec -T app ping -c 1 -W 30 store | head -n 1',
    `! ${inClient('ping -c 1 -W 1 10.7.0.9')}`,
    full(`! ${inClient('ping -c 1 -W 1 db')}`),
    'docker compose exec -T db sh -c "ip route | grep -v default; cat /run/secrets/db_password; ls /run/secrets"',
    'curl -s http://172.16.2.101:8080/',
    'docker compose logs client',
    // The commands that look at services and act on them.
    "docker compose ps --format '{{.Service}} {{.Publishers}}' web | sed 's/ {:: [^}]*}//'",
    full('docker compose port web 80'),
    full("docker compose images web | awk '{ print $1, $2, $3 }'"),
    "docker compose top db | awk '{ print $1, $NF }'",
    "docker compose exec -T -e V=1 -w /tmp -u 65534 db sh -c 'echo $V; pwd; id -u'",
    'echo copied > /tmp/copied; docker compose cp /tmp/copied db:/data/copied 2> /dev/null; docker compose cp db:/data - 2> /dev/null | tar -t | sort',
    full('docker compose exec -T db cat /data/copied'),
    full(`${compose('pause client')}; ${states}; ${compose('unpause client')}`),
    `${compose('kill client')}; ${states}; ${compose('start client')}`,
    'since=$(date +%s); docker compose restart -t 0 client 2> /dev/null; docker compose events --since $since --until $(($(date +%s) + 1)) client | grep -o "container [a-z]* " | sort -u',
    full('docker compose logs --no-log-prefix --tail 1 client'),
    "! docker compose run --rm -T client sh -c 'echo given; exit 7' 2> /dev/null",
    full(
      'docker compose run --rm -T --no-deps --name once client sh -c hostname 2> /dev/null | wc -c; docker ps -aq --filter name=once',
    ),
    '! docker compose --profile job up --no-deps --no-log-prefix --exit-code-from job job 2> /dev/null',
    // Changes.
    full(compose('up -d')),
    compose('up -d --scale client=3'),
    full("docker compose ps client --format '{{.Name}} {{.State}}' | sort"),
    // Which of several containers of one age Compose removes is not defined.
    'docker compose up -d --scale client=1 2> /dev/null; docker compose ps client -q | wc -l',
    `COLOR=green docker compose up -d 2> /dev/null; ${states.replace('{{.Name}} ', '')}`,
    `${inClient('env')} | grep COLOR; ${settle(inClient('wget -qO- http://web/site.txt'))}; ${inClient('wget -qO- http://web/site.txt')}`,
    `COLOR=green NOTE=second ${compose('up -d')}`,
    'docker compose exec -T db sh -c \'echo $NOTE; ip addr show eth0 | grep -o "inet [^ ]*"\'',
    // Compose connects the containers to the changed network without their aliases, until they are replaced.
    `COLOR=green NOTE=second TIER=two docker compose up -d 2> /dev/null; docker network inspect shop_front -f '{{.Labels.tier}} {{len .Containers}}'`,
    full("docker inspect shop-web-1 -f '{{json .NetworkSettings.Networks.shop_front.Aliases}}'"),
    `docker compose up -d --force-recreate 2> /dev/null; ${states.replace('{{.Name}} ', '')}`,
    `${settle(inClient('wget -qO- http://web/'))}; ${inClient('wget -qO- http://www/')}`,
    full(compose('restart -t 0 web')),
    compose('stop -t 0 db'),
    full(compose('up -d')),
    full('docker compose exec -T db cat /data/state'),
    compose('down -t 0'),
    'docker volume ls -q',
    full(compose('up -d')),
    compose('down -t 0 -v'),
    'docker ps -aq; docker volume ls -q; docker network ls --format "{{.Name}}"',
  ],
};

const page = (host: string): string => `curl -fsS -H "Host: ${host}" http://172.16.2.101:8000/`;
/** How many servers answer for a host. */
const servers = (host: string): string => `$(for n in 1 2 3 4 5 6; do ${page(host)}; done | sort -u | wc -l)`;

const edge: Project = {
  title: 'a reverse proxy that reads the engine’s socket',
  folder: 'edge',
  images: ['nginx-app01', 'netyard-test'],
  proxy: true,
  commands: [
    compose('up -d'),
    `${settle(page('shop.test'))}; ${page('shop.test')} | tr -d 0-9a-f | wc -c`,
    `${settle(page('blog.test'))}; ${page('blog.test')} | head -n 2`,
    `! ${page('hidden.test')}`,
    'docker compose logs --no-log-prefix proxy | head -n 1',
    `${compose('up -d --scale shop=2')}; ${settle(`[ ${servers('shop.test')} = 2 ]`)}; echo ${servers('shop.test')}`,
    // An unhealthy service is not routed to.
    `! docker compose exec -T blog touch /tmp/sick; ${settle(`! ${page('blog.test')}`)}; ${page('blog.test')}`,
    `docker compose exec -T blog rm /tmp/sick; ${settle(page('blog.test'))}; ${page('blog.test')} | wc -l`,
    `SHOP=store.test ${compose('up -d --scale shop=2')}; ${settle(`[ ${servers('store.test')} = 2 ]`)}; echo ${servers('store.test')}`,
    `! ${page('shop.test')}`,
    full(`${compose('restart -t 0 proxy')}; ${settle(page('store.test'))}; echo ${servers('store.test')}`),
    `${compose('stop -t 0 shop')}; ${settle(`! ${page('store.test')}`)}; ${states}`,
    compose('down -t 0'),
    'docker ps -aq; docker network ls --format "{{.Name}}"',
  ],
};

const legacy: Project = {
  title: 'links, other projects and shared namespaces',
  folder: 'legacy',
  images: ['nginx-app01', 'netyard-test'],
  commands: [
    'docker network create shared > /dev/null; docker run -d --name outside --network shared netyard-test sleep 1000',
    compose('up -d'),
    "docker compose ps --format '{{.Service}} {{.Name}} {{.State}}' | sort",
    'docker compose exec -T web ping -c 1 -W 30 database | head -n 1',
    'docker compose exec -T web ping -c 1 -W 30 mail | head -n 1',
    full('docker compose exec -T web cat /sys/class/net/eth0/mtu /sys/class/net/eth1/mtu | sort'),
    `${settle('docker compose exec -T sidecar wget -qO- http://127.0.0.1/')}; docker compose exec -T sidecar wget -qO- http://127.0.0.1/ | head -n 2`,
    full('docker compose exec -T db head -n 1 /etc/settings /run/secrets/password'),
    `docker network inspect legacy_default -f '{{json .Options}} {{index .Labels "tier"}}'`,
    "docker inspect legacy-sidecar-1 -f '{{json .NetworkSettings.Networks}}'",
    full(compose('up -d')),
    compose('up -d --scale db=2'),
    full('docker compose exec -T web ping -c 1 -W 30 legacy-db-2 | head -n 1'),
    // The service whose namespace is shared is replaced, and so is the one that shares it.
    `COLOR=green ${compose('up -d')}`,
    `${settle('docker compose exec -T sidecar wget -qO- http://127.0.0.1/')}; docker compose exec -T sidecar wget -qO- http://127.0.0.1/ | head -n 2`,
    'docker compose exec -T web ping -c 1 -W 30 mail | head -n 1',
    full('docker compose logs sidecar db'),
    full(`${compose('restart -t 0 web')}; ${states}`),
    compose('down -t 0'),
    'docker network ls --format "{{.Name}}"',
    'docker rm -f outside; docker network rm shared',
  ],
};

const dual: Project = {
  title: 'both families with static addresses, and IPv6 only',
  folder: 'dual',
  images: ['nginx-app01', 'netyard-test'],
  newer: true,
  commands: [
    compose('up -d'),
    states,
    'docker network inspect dual_both -f "{{.EnableIPv4}} {{.EnableIPv6}} {{json .IPAM.Config}}"',
    'docker network inspect dual_six -f "{{.EnableIPv4}} {{.EnableIPv6}} {{(index .IPAM.Config 0).Subnet}}"',
    "docker inspect dual-web-1 -f '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{.GlobalIPv6Address}} {{json .IPAMConfig}} {{end}}'",
    "docker compose exec -T web sh -c 'ip -4 -o addr; ip -6 -o addr' | grep -o 'inet6* \\(10\\|fd\\)[^ ]*' | sort",
    `${settle(inClient('wget -qO- http://[fd00:8::10]/'))}; ${inClient('wget -qO- http://[fd00:8::10]/ http://10.8.0.10/ http://www/')}`,
    inClient('ping -6 -c 1 -W 30 fd00:8::1 | head -n 1'),
    inClient("getent ahostsv6 web | awk '{ print $1 }' | sort -u"),
    'docker compose exec -T modern wget -qO- http://[fd00:9::10]/ http://web/',
    'docker compose exec -T modern sh -c \'ip -4 -o addr | grep -v 127; ip -6 route | grep default | cut -d " " -f 1-5\'',
    `! ${inClient('ping -6 -c 1 -W 1 fd00:9::10')}`,
    compose('up -d --scale client=2'),
    inClient('ping -6 -c 1 -W 30 dual-client-2 > /dev/null; echo $?'),
    `ADDRESS=fd00:8::11 ${compose('up -d')}`,
    `${settle(inClient('wget -qO- http://[fd00:8::11]/'))}; ${inClient('wget -qO- http://[fd00:8::11]/')}`,
    full('docker compose logs web'),
    full(compose('restart -t 0 web')),
    full(`${settle(inClient('wget -qO- http://[fd00:8::11]/'))}; ${states}`),
    compose('down -t 0'),
    'docker ps -aq; docker network ls --format "{{.Name}}"',
  ],
};

/** How many addresses a name has for a service; `nslookup` because the image has no getent. */
const answers = (service: string, name: string): string =>
  `docker compose exec -T ${service} nslookup -type=a ${name} | grep -c '^Address: '`;
const networksOf = (container: string): string =>
  `docker inspect ${container} | jq -cS '.[0].NetworkSettings.Networks | map_values(del(.NetworkID, .EndpointID, .DNSNames, .MacAddress)) | map_values(.Aliases |= (. // [] | sort))'`;
const up = (options = ''): string => compose(`up -d ${options}`);

const stack: Project = {
  title: 'every setting of a network and of an endpoint, and networks that change outside of Compose',
  folder: 'stack',
  images: ['netyard-test'],
  newer: true,
  commands: [
    'docker network create --subnet 10.16.0.0/24 outer > /dev/null; docker run -d --name outside --network outer --ip 10.16.0.90 netyard-test sleep 1000 > /dev/null',
    full(compose('create')),
    up(),
    "docker compose ps -a --format '{{.Service}} {{.Name}} {{.State}} {{.Ports}}' | sort",
    networksOf('stack-web-1'),
    ...['client', 'hosted', 'shared', 'beside', 'once'].map((name) => full(networksOf(`stack-${name}-1`))),
    `docker inspect stack-web-1 | jq -cS '.[0] | .HostConfig.Sysctls, (.HostConfig.ExtraHosts | sort), .Config.ExposedPorts, .NetworkSettings.Ports'`,
    `docker network inspect custom_front stack_back | jq -cS '.[] | .IPAM.Config, .Options, .Attachable, .EnableIPv6, .Internal'`,
    full('docker network ls --format "{{.Name}}" | sort'),
    `docker compose exec -T web sh -c 'ip -o addr | grep -o -e "lan0 .*inet6* [^ ]*" -e "wan0 .*inet6* [^ ]*" | grep -v fe80::[^8] | sort; ip route | sort; ip -6 route show default | cut -d " " -f 1-5; cat /etc/resolv.conf | grep -v "^#"; grep -v -e :: -e localhost /etc/hosts | sort; hostname -f; cat /proc/sys/net/core/somaxconn /proc/sys/net/ipv4/conf/lan0/log_martians /sys/class/net/lan0/address /sys/class/net/*/mtu'`,
    ['web', 'www.example.org', 'a_b', 'webhost', 'pool', 'worker', 'web.custom_front', 'stack-worker-1']
      .map((name) => answers('client', name))
      .join('; '),
    `${answers('web', 'replica')}; ${answers('shared', 'worker')}; docker compose exec -T shared hostname`,
    full(up()),
    full(compose('--profile debug up -d')),
    full(compose('--profile debug stop -t 0 debug')),
    full(compose('up -d --scale worker=4 --no-recreate')),
    answers('client', 'worker'),
    full(compose('restart -t 0 web')),
    compose('up -d --force-recreate -t 0 web'),
    // The service that shares the namespace is replaced now.
    `docker compose up -d -t 0 2> /dev/null; docker compose exec -T shared ip -o -4 addr show lan0 | grep -o 'inet [^ ]*'`,
    // Networks that change outside.
    `docker network disconnect custom_front stack-client-1; docker compose up -d -t 0 2> /dev/null; ${networksOf('stack-client-1')} | jq -c keys`,
    `docker network create more > /dev/null; docker network connect more stack-client-1; ${up('-t 0')}; ${networksOf('stack-client-1')} | jq -c keys`,
    full(compose('port --protocol udp web 9001')),
    full(`${compose('pause client')}; ${compose('unpause client')}`),
    compose('down -t 0 --remove-orphans'),
    'docker rm -f outside; docker network rm outer more; docker network ls --format "{{.Name}}" | sort; docker ps -aq',
    // Which of the networks Compose creates before it misses the external one is not defined.
    '! docker compose up -d 2> /dev/null',
    full('docker compose down -t 0 2> /dev/null; docker network ls --format "{{.Name}}" | sort'),
  ],
};

/** docker-compose 1 prints progress of its own. */
const compose1 = (command: string): string => `docker-compose ${command} 2>&1 | sort -u`;

const old: Project = {
  title: 'docker-compose 1.29, with a file of its time',
  folder: 'old',
  images: ['nginx-app01', 'netyard-test'],
  old: true,
  commands: [
    compose1('up -d'),
    full("docker-compose ps 2>&1 | awk '/^old_/ { print $1, $2 }'"),
    full('docker-compose exec -T web ping -c 1 -W 30 store | head -n 1'),
    'curl -s --retry 20 --retry-connrefused http://172.16.2.101:8080/',
    // Containers are renamed, and the new ones take over address and volumes.
    `docker-compose exec -T db touch /anonymous/kept; COLOR=green NOTE=second ${compose1('up -d')}`,
    'docker-compose exec -T db sh -c \'echo $NOTE; ls /anonymous; ip addr show eth0 | grep -o "inet [^ ]*"\'',
    full(compose1('up -d --scale db=1')),
    full(`${compose1('restart -t 0 web')}; docker-compose logs --tail 1 db`),
    full(compose1('stop -t 0')),
    compose1('down -t 0 -v'),
    'docker ps -aq; docker volume ls -q; docker network ls --format "{{.Name}}"',
  ],
};

export const projects: readonly Project[] = [shop, edge, legacy, dual, stack, old];

export const folderOf = ({ folder }: Project): string => join(import.meta.dirname, folder);
