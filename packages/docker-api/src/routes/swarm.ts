/** Routes of Swarm and plugins, which Netyard does not have: they answer like a Docker that uses neither. */
import { NetyardError } from '@netyard/core';
import { sendJson } from '../http/json-answer.ts';
import type { RequestContext } from '../http/request-context.ts';
import { type Handler, type Method, type Route, route } from '../http/router.ts';
import { reference } from './reference.ts';

const managed = ['nodes', 'services', 'tasks', 'secrets', 'configs'];

export function swarmRoutes(): Route[] {
  const notManager = refuse('unavailable', noManager);
  const all = (method: Method, paths: readonly string[]): Route[] =>
    paths.map((path) => route(method, path, notManager));
  return [
    ...all('GET', ['/swarm', '/swarm/unlockkey', '/services/:id/logs', '/tasks/:id/logs']),
    ...all(
      'GET',
      managed.flatMap((kind) => [`/${kind}`, `/${kind}/:id`]),
    ),
    ...all(
      'DELETE',
      managed.filter((kind) => kind !== 'tasks').map((kind) => `/${kind}/:id`),
    ),
    ...all('POST', ['/swarm/update', '/services/create', '/secrets/create', '/configs/create']),
    ...all(
      'POST',
      managed.filter((kind) => kind !== 'tasks').map((kind) => `/${kind}/:id/update`),
    ),
    route('POST', '/swarm/leave', refuse('unavailable', 'This node is not part of a swarm')),
    route('POST', '/swarm/unlock', refuse('conflict', 'swarm is not locked')),
    route('POST', '/swarm/init', noSwarm),
    route('POST', '/swarm/join', noSwarm),
    ...pluginRoutes(),
  ];
}

function pluginRoutes(): Route[] {
  return [
    route('GET', '/plugins', (exchange) => sendJson(exchange, 200, [])),
    route('GET', '/plugins/privileges', noPlugins),
    route('POST', '/plugins/pull', noPlugins),
    route('POST', '/plugins/create', noPlugins),
    route('GET', '/plugins/:name/json', missingPlugin),
    route('DELETE', '/plugins/:name', missingPlugin),
    ...['enable', 'disable', 'upgrade', 'push', 'set'].map((verb) =>
      route('POST', `/plugins/:name/${verb}`, missingPlugin),
    ),
  ];
}

const noManager =
  'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';

function refuse(code: 'unavailable' | 'conflict', message: string): Handler {
  return () => {
    throw new NetyardError(code, message);
  };
}

function noSwarm(): never {
  const hint = 'connect the networks of several hosts with `netyard peer`';
  throw new NetyardError('not-implemented', 'Netyard does not have Swarm', { hint });
}

function noPlugins(): never {
  const hint = 'use a built-in driver: `docker info` lists them';
  throw new NetyardError('not-implemented', 'Netyard does not have plugins', { hint });
}

function missingPlugin(exchange: RequestContext): never {
  throw new NetyardError('not-found', `plugin "${reference(exchange, 'name')}" not found`);
}
