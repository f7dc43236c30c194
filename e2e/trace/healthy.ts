/** Set-ups that work: a trace must reach the target, and `diagnose` must find nothing broken. */
import { hostAddress, neighbourAddress } from '../support/host.ts';
import type { FaultContext } from './fault.ts';

/** Added to the scene of `faults.ts`. */
export async function addHealthyScene({ host }: FaultContext): Promise<void> {
  await host.docker('network', 'create', '--ipv6', '--subnet', 'fd00:66::/64', 'six');
  const run = (name: string, ...rest: string[]): Promise<string> => host.docker('run', '-d', '--name', name, ...rest);
  const serve = [
    'nginx-web01',
    'sh',
    '-c',
    "echo 'events{} http{ server{ listen 80; listen [::]:80; } }' > /n; exec nginx -c /n -g 'daemon off;'",
  ];
  await run('six1', '--network', 'six', 'nginx-web01', 'sleep', '100000');
  await run('six2', '--network', 'six', ...serve);
  await run('old', 'nginx-web01', 'nginx');
  await run('linked', '--link', 'old:alias', 'nginx-web01', 'sleep', '100000');
  await run('joined', '--network', 'container:app', 'nginx-web01', 'sleep', '100000');
  await run('shared', '--network', 'host', 'nginx-web01', 'sleep', '100000');
  await run('both', '--network', 'net1', 'nginx-web01', 'nginx');
  await host.docker('network', 'connect', 'net2', 'both');
  await run('inner2', '--network', 'back', 'nginx-web01', 'nginx');
}

/** Arguments of `netyard trace`. */
export async function healthyTraces({ addressOf }: FaultContext): Promise<string[][]> {
  const [web, app, far] = [await addressOf('web'), await addressOf('app'), await addressOf('far')];
  return [
    ['app', 'web:80'],
    ['app', 'web'],
    ['app', `${web}:80`],
    ['web', 'app'],
    ['app', `${hostAddress}:8080`],
    ['far', `${hostAddress}:8080`],
    ['host', '127.0.0.1:8080'],
    ['host', `${hostAddress}:8080`],
    ['host', 'web:80'],
    ['host', far],
    ['app', neighbourAddress],
    ['host', neighbourAddress],
    ['both', 'far:80'],
    ['both', 'web:80'],
    ['app', 'both:80'],
    ['inner', 'inner2:80'],
    ['linked', 'alias:80'],
    ['joined', 'web:80'],
    ['shared', 'web:80'],
    ['web', app],
    ['six1', 'six2:80'],
    ['-6', 'six1', 'six2:80'],
    ['-6', 'six1', 'six2'],
    ['--size', '1400', 'app', 'web'],
  ];
}

/** Of those: dockerd's rules do not translate what comes from its bridges, or from the host to 127.0.0.1. */
export const proxiedTraces = [`app ${hostAddress}:8080`, `far ${hostAddress}:8080`, 'host 127.0.0.1:8080'] as const;
