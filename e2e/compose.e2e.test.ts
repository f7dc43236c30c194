/**
 * Compose projects with `docker compose`: the same transcripts on Netyard and on dockerd. NETYARD_COMPOSE=DIR names the
 * folder that `script/unpack-compose DIR` filled, NETYARD_DOCKERD=DIR that of `script/unpack-dockerd DIR`, NETYARD_SDKS=DIR that of `script/unpack-sdks DIR`, with docker-compose 1; without the
 * latter, Netyard is compared with the dockerd of this machine. NETYARD_COMPOSE_ALL=1, which script/compose sets, runs
 * every command.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { folderOf, type Project, projects } from './compose/projects.ts';
import { loadProgram } from './support/program-image.ts';
import { testSameOutput } from './support/same-output.ts';

const unpacked = process.env['NETYARD_COMPOSE'] ?? '';
const sdks = process.env['NETYARD_SDKS'] ?? '';
const newer = process.env['NETYARD_DOCKERD'] ?? '';
const hasNewer = existsSync(join(newer, 'complete'));
const all = process.env['NETYARD_COMPOSE_ALL'] === '1';
if (hasNewer) process.env['PATH'] = `${join(newer, 'root/usr/sbin')}:${process.env['PATH']}`;

function reasonToSkip(project: Project): string | false {
  if (project.old && !existsSync(join(sdks, 'complete')))
    return 'NETYARD_SDKS names no folder that script/unpack-sdks filled';
  if (!existsSync(join(unpacked, 'complete')))
    return 'NETYARD_COMPOSE names no folder that script/unpack-compose filled';
  if (project.newer && !hasNewer) return 'NETYARD_DOCKERD names no folder that script/unpack-dockerd filled';
  return false;
}

for (const project of projects)
  testSameOutput(
    `docker compose, as on dockerd: ${project.title}`,
    {
      images: project.images,
      skip: reasonToSkip(project),
      environment: {
        DOCKER_CONFIG: join(unpacked, 'config'),
        API_KEY: 'a key',
        COMPOSE_API_VERSION: '1.44', // of docker-compose 1: dockerd has no ContainerConfig after that
        PYTHONPATH: join(sdks, 'python/usr/lib/python3/dist-packages'),
        PATH: `${join(sdks, 'python/usr/bin')}:${process.env['PATH']}`,
        DOCKER_SOCKET: '/run/netyard/netyard.sock', // of both engines in their hosts
      },
      folder: folderOf(project),
      async prepare({ netyard, dockerd }) {
        if (project.proxy) await loadProgram([netyard, dockerd], { image: 'proxy:latest', program: 'proxy', port: 80 });
      },
    },
    project.commands
      .map((command) => (typeof command === 'string' ? { line: command } : command))
      .filter((command) => all || !('full' in command))
      .map(({ line }) => line),
  );
