/** Scenarios of log drivers and their options. */
import { differs, type ScenarioGroup } from './scenario.ts';

const early = 'an invalid value is rejected at create, not when the container starts';
const run = (options: string, command = 'true'): string => `docker run --rm ${options} netyard-test ${command}`;
/** Runs a container to its end and prints its log. */
const logged = (options: string, command: string, logs = ''): string =>
  `docker run --name logged ${options} netyard-test sh -c '${command}' > /dev/null 2>&1; docker logs ${logs} logged; docker rm logged`;
const lines = 'i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done';
/** Until all rotated files are compressed. */
const compressed = (folder: string): string =>
  `for i in $(seq 100); do ls ${folder} | grep -q "log.*\\.[0-9]$" || break; sleep 0.1; done`;

export const logScenarios: readonly ScenarioGroup[] = [
  {
    title: 'logs',
    short: true,
    setUp: [],
    scenarios: [
      logged('--log-driver local', 'echo out; echo err >&2; printf rest'),
      logged('--log-driver local', lines, '--tail 3'),
      logged(
        '--log-driver local --log-opt max-size=4k --log-opt max-file=3 --log-opt compress=false',
        lines,
        '--tail 5',
      ),
      logged('--log-driver local --log-opt max-size=20k --log-opt max-file=5', lines, '--tail 5'),
      `docker run --name kept --log-opt max-size=20k --log-opt max-file=9 --log-opt compress=true netyard-test sh -c '${lines}' > /dev/null; log=$(docker inspect -f '{{.LogPath}}' kept); ${compressed('$(dirname $log)')}; ls $(dirname $log) | grep -o "json.log.*"; zcat $log.7.gz | head -n 1 | cut -c 1-15; docker logs kept | md5sum; docker logs --tail 1500 kept | md5sum; docker rm kept`,
      `docker run --name kept --log-opt max-size=10k netyard-test sh -c '${lines}' > /dev/null; [ $(stat -c %s $(docker inspect -f '{{.LogPath}}' kept)) -lt 10100 ] && echo decimal; docker rm kept`,
      "docker create --name kept --log-driver local netyard-test; docker inspect -f '{{json .LogPath}} {{json .HostConfig.LogConfig}}' kept; docker rm kept",
      logged('-l aa=1 -l b=2 -e bb=3 --log-opt labels-regex=^a --log-opt env-regex=^b', 'echo x', '--details'),
      logged('-l aa=1 -l b=2 -e bb=3 --log-opt labels=b,c --log-opt env=bb', 'echo x', '--details'),
      logged("--log-opt tag='{{.Name}}/{{upper .ImageName}} {{.DaemonName}} {{.Command}}'", 'echo x', '--details'),
      differs(
        run('--log-opt mode=non-blocking --log-opt max-buffer-size=4m'),
        'warns that no output is dropped, and that the size of the buffer has no effect',
      ),
      run('--log-driver local --log-opt mode=blocking'),
      run('--log-opt cache-disabled=true'),
      run('--log-opt cache-disabled=x'),
      run('--log-opt mode=x'),
      run('--log-opt max-buffer-size=4m'),
      run('--log-driver local --log-opt mode=non-blocking --log-opt max-buffer-size=4x'),
      run('--log-driver local --log-opt labels=x'),
      run('--log-driver foo'),
      run('--log-driver none --log-opt a=b'),
      differs(run('--log-driver local --log-opt max-size=x'), early),
      differs(run('--log-driver local --log-opt max-file=1'), early),
      differs(run('--log-opt compress=true --log-opt max-size=1m'), early),
      differs(run('--log-opt max-file=x'), early),
      differs(run("--log-opt labels-regex='('"), early),
    ],
  },
];
