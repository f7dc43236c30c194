/** Scenarios of mounts: what inspect shows of `-v`, `--mount` and `--volumes-from`. */
import { differs, type ScenarioGroup } from './scenario.ts';

const modes = ['ro', 'rw', 'z', 'z,ro', 'ro,Z', 'cached,ro', 'Z,delegated,ro', 'ro,rw'];
const bindModes = [...modes, 'rshared', 'ro,rslave', 'rshared,Z', 'rprivate,z,cached', 'nocopy'];
const volumeModes = [...modes, 'nocopy', 'ro,nocopy', 'rslave'];

export const mountScenarios: readonly ScenarioGroup[] = [
  {
    title: 'mounts',
    short: true,
    setUp: [
      'mkdir -p /run/bound',
      'docker create --name source -v data:/a -v /b -v /run/bound:/c:ro -v data:/d:nocopy -v data:/e:z --mount type=bind,src=/run/bound,dst=/f netyard-test',
    ],
    scenarios: [
      'mounts -v /run/bound:/x',
      ...bindModes.map((mode) => `mounts -v /run/bound:/x:${mode}`),
      'mounts -v /x',
      'mounts -v data:/x',
      ...volumeModes.map((mode) => `mounts -v data:/x:${mode}`),
      'mounts --mount type=bind,src=/run/bound,dst=/x',
      'mounts --mount type=bind,src=/run/bound,dst=/x,ro',
      'mounts --mount type=bind,src=/run/bound,dst=/x,bind-propagation=rslave',
      differs(
        'mounts --mount type=bind,src=/run/bound,dst=/x,consistency=cached',
        'a cache setting of Docker for Mac is ignored',
      ),
      'mounts --mount type=volume,src=data,dst=/x',
      'mounts --mount type=volume,dst=/x',
      'mounts --mount type=volume,src=data,dst=/x,ro',
      'mounts --mount type=volume,src=data,dst=/x,volume-nocopy',
      'mounts --mount type=tmpfs,dst=/x,tmpfs-size=1m,tmpfs-mode=1770',
      'mounts --tmpfs /x:size=1m',
      ...['', ':', ':ro', ':rw', ':z', ':ro,Z', ':cached', ':rslave', ':nocopy', ':ro,rw'].map(
        (mode) => `mounts --volumes-from source${mode}`,
      ),
      'mounts --volumes-from source -v data:/a:ro',
    ],
  },
];
