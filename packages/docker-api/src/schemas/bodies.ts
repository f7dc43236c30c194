/** Schemas of request bodies; `translate/` gives the fields their meaning. */
import {
  containerConfig,
  containerCreate,
  containerUpdate,
  execCreate,
  execStart,
  type FieldTable,
  flag,
  hostConfig,
  list,
  networkConnect,
  networkCreate,
  networkDisconnect,
  type Output,
  text,
  volumeCreate,
  zero,
} from '@netyard/api-types';
import { nameMatcher } from '@netyard/core';
import { z } from 'zod';
import { schemaOf } from './schema-of.ts';

export type MountBody = HostConfigBody['Mounts'][number];
export type ContainerUpdateBody = Output<typeof containerUpdate>;
export type ExecCreateBody = Output<typeof execCreate>;
export type NetworkCreateBody = Output<typeof networkCreate>;
export type EndpointBody = Output<typeof networkConnect>['EndpointConfig'];

/** `hasNoConfig`: the body has no field of the container's configuration. `unusualLists`: see ContainerConfig. */
export const createFields = { ...containerCreate, hasNoConfig: zero(flag), unusualLists: zero(list(text)) } as const;
export type ContainerCreateBody = Output<typeof createFields>;
export type HostConfigBody = ContainerCreateBody['HostConfig'];

/** Fields that are not the container's configuration; all others are. In lower case, as their names match in any case. */
const besideConfig = ['hostconfig', 'networkingconfig'];

function noteConfig(body: unknown): unknown {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return body;
  return { ...body, hasNoConfig: Object.keys(body).every((key) => besideConfig.includes(key.toLowerCase())) };
}

/** Fields of HostConfig whose value dockerd shows as it was given: absent, or empty. It drops empty `Links`. */
const shownLists = Object.entries<FieldTable[string]>(hostConfig).filter(
  ([name, { shape, omitEmpty, missing }]) =>
    ['list', 'map'].includes(shape.kind) && !omitEmpty && missing === 'zero' && name !== 'Links',
);
const matchCreate = nameMatcher(['HostConfig']);
const matchLists = nameMatcher(shownLists.map(([name]) => name));

function unusualLists(body: object): string[] {
  const { HostConfig = {} } = matchCreate(body) as { HostConfig?: unknown };
  const given = (matchLists(HostConfig) ?? {}) as Readonly<Record<string, unknown>>;
  return shownLists.flatMap(([name, { emptyAsValue }]) => {
    const value = given[name];
    const isAbsent = value === undefined || value === null;
    const isEmpty = typeof value === 'object' && value !== null && Object.keys(value).length === 0;
    return (emptyAsValue ? isAbsent : isEmpty) ? [name] : [];
  });
}

function noteLists(body: unknown): unknown {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return body;
  return { ...body, unusualLists: unusualLists(body) };
}

export const containerCreateSchema = z.preprocess((body) => noteLists(noteConfig(body)), schemaOf(createFields));

export const commitFields = { ...containerConfig, hasNoConfig: zero(flag) } as const;
export const commitSchema = z.preprocess(noteConfig, schemaOf(commitFields));

export const containerUpdateSchema = schemaOf(containerUpdate);
export const execCreateSchema = schemaOf(execCreate);
export const execStartSchema = schemaOf(execStart);
export const networkCreateSchema = schemaOf(networkCreate);
export const networkConnectSchema = schemaOf(networkConnect);
export const networkDisconnectSchema = schemaOf(networkDisconnect);
export const volumeCreateSchema = schemaOf(volumeCreate);
