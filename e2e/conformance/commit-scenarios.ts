/** Scenarios of images that are committed from containers, and of the instructions of `--change`. */
import { differs, type ScenarioGroup } from './scenario.ts';

/** Commits the container `made` with changes, and prints the image's configuration. */
const changed = (changes: string): string => `committed ${changes}`;
/** The content of the newest layer. */
const layer = (image: string): string =>
  `mkdir -p /tmp/$$ && docker save ${image} | tar -C /tmp/$$ -xf - && tar -tvf /tmp/$$/$(jq -r '.[0].Layers[-1]' /tmp/$$/manifest.json) | awk '{ print $2, $3, $6, $7, $8, $9 }' | sed 's/.*:wh//'; rm -r /tmp/$$`;

export const commitScenarios: readonly ScenarioGroup[] = [
  {
    title: 'commit',
    short: true,
    setUp: [
      'docker create --name made -e A=1 -l tier=web --expose 80 netyard-test sh -c "echo hi"',
      `docker run -d --name running netyard-test sh -c 'mkdir /new; echo a > /new/f; rm /etc/group; rm -r /home; mkdir /home
        touch /home/t; ln /new/f /new/g; ln -s f /new/l; mknod /new/null c 1 3; mkfifo /new/p; chown 5:6 /new/p
        chmod 4711 /new/f; touch /ready; sleep 1000'`,
      'until docker exec running test -e /ready; do sleep 0.1; done',
    ],
    scenarios: [
      `docker commit -m message -a 'me <me@x>' running run:1; docker inspect -f '{{.State.Status}}' running`,
      `docker image inspect -f '{{.Comment}}|{{.Author}}|{{json .Config.Cmd}}|{{len .RootFS.Layers}}|{{.Os}}|{{.Architecture}}' run:1`,
      layer('run:1'),
      `docker run --rm run:1 sh -c 'stat -c "%A %u %g %h %n" /new/* /home/* /home; cat /new/g; ls /etc/group'`,
      `docker history --no-trunc --format '{{.CreatedBy}}|{{.Comment}}|{{.Size}}' run:1 | tail -n 2`,
      `docker image inspect run:1 -f '{{.Parent}}' | grep -c "$(docker image inspect -f '{{.Id}}' netyard-test)"`,
      `docker save run:1 -o /tmp/run.$$; docker rmi run:1 > /dev/null; docker load -i /tmp/run.$$; rm /tmp/run.$$; docker run --rm run:1 cat /new/f`,
      `docker commit made empty:1; docker image inspect -f '{{len .RootFS.Layers}}' empty:1; docker run --rm empty:1`,
      `api POST '/commit?container=made&repo=q:1&tag=2' '{"Cmd":["z"],"Env":["N=1"],"Labels":{"q":"r"}}'; docker image inspect -f '{{json .Config.Cmd}} {{json .Config.Env}} {{json .Config.Labels}}' q:2; docker rmi q:2 > /dev/null`,
      `api POST '/commit?container=made&repo=q' null; docker rmi q > /dev/null`,
      `api POST '/containers/create?name=odd' '{"Image":"netyard-test","ExposedPorts":{"9999":{},"80/tcp":{},"53/UDP":{},"70-72/tcp":{}}}' > /dev/null; docker commit -c 'EXPOSE 90' odd odd:1; docker image inspect odd:1 | jq -cS '.[0].Config.ExposedPorts'; docker rm odd; docker rmi odd:1`,
      ...[
        '',
        '?container=',
        '?container=none',
        '?container=none&repo=A',
        '?container=made&repo=a&tag=.x',
        `?container=made&repo=a@sha256:${'a'.repeat(64)}`,
      ].map((query) => `api POST '/commit${query}'`),
      `api POST '/commit?container=made' '{bad'`,
    ],
  },
  {
    title: 'commit --change',
    setUp: ['docker create --name made -e A=1 -l tier=web --expose 80 netyard-test sh -c "echo hi"'],
    scenarios: [
      changed(''),
      changed(
        `-c 'ENV PATH=$PATH:/x Q=\${B:-2} R="a b"' -c 'WORKDIR $Q' -c 'LABEL z=$Q' -c 'USER $Q' -c 'EXPOSE 1-3/udp $Q'`,
      ),
      changed(`-c 'VOLUME $A/v /w' -c 'STOPSIGNAL SIGQUIT' -c 'ENTRYPOINT echo $A'`),
      changed(`-c 'ENTRYPOINT ["x"]'`),
      changed(`-c 'ENTRYPOINT []'`),
      changed(`-c 'CMD []'`),
      changed(`-c 'CMD'`),
      changed(`-c 'CMD ["a", "b"]' -c 'ENTRYPOINT ["x"]'`),
      changed(`-c 'ENV old \${A}x y' -c 'LABEL a="b c" d=e\\ f'`),
      changed(
        `-c 'HEALTHCHECK --interval=5s --timeout=1m --start-interval=2s --retries=4 CMD true' -c 'ONBUILD RUN x'`,
      ),
      changed(`-c 'HEALTHCHECK NONE'`),
      changed(`-c 'USER a b'`),
      ...[
        'FOO bar',
        'RUN x',
        'shell ["x"]',
        '',
        '# comment',
        'ENV a',
        'ENV =b',
        'LABEL a',
        'LABEL =b',
        'LABEL a=b c',
      ].map((line) => changed(`-c '${line}'`)),
      ...[
        'EXPOSE x',
        'EXPOSE 99999',
        'STOPSIGNAL FOO',
        'STOPSIGNAL A B',
        'CMD --x a',
        'USER',
        'WORKDIR',
        'VOLUME',
        'VOLUME []',
        'VOLUME [""]',
      ].map((line) => changed(`-c '${line}'`)),
      ...[
        'ONBUILD',
        'ONBUILD FROM a',
        'ONBUILD MAINTAINER a',
        'ONBUILD ONBUILD RUN a',
        'HEALTHCHECK',
        'HEALTHCHECK FOO',
        'HEALTHCHECK CMD',
        'HEALTHCHECK NONE a',
      ].map((line) => changed(`-c '${line}'`)),
      ...[
        '--x=5',
        '--interval',
        '--interval=5',
        '--interval=x',
        '--interval=5y',
        '--interval=1us',
        '--retries=-1',
        '--retries=x',
        '--retries=1 --retries=2',
      ].map((flag) => changed(`-c 'HEALTHCHECK ${flag} CMD a'`)),
      differs(changed(`-c 'STOPSIGNAL 999'`), 'a signal that Linux does not have is rejected'),
    ],
  },
];
