/** Schemas of request bodies; `translate/` gives the fields their meaning. */
import {
  containerConfig,
  containerCreate,
  containerUpdate,
  execCreate,
  execStart,
  flag,
  networkConnect,
  networkCreate,
  networkDisconnect,
  type Output,
  volumeCreate,
  zero,
} from '@netyard/api-types';
import { z } from 'zod';
import { schemaOf } from './schema-of.ts';

export type MountBody = HostConfigBody['Mounts'][number];
export type ContainerUpdateBody = Output<typeof containerUpdate>;
export type ExecCreateBody = Output<typeof execCreate>;
export type NetworkCreateBody = Output<typeof networkCreate>;
export type EndpointBody = Output<typeof networkConnect>['EndpointConfig'];

/** `hasNoConfig`: the body has no field of the container's configuration. */
export const createFields = { ...containerCreate, hasNoConfig: zero(flag) } as const;
export type ContainerCreateBody = Output<typeof createFields>;
export type HostConfigBody = ContainerCreateBody['HostConfig'];

/** Fields that are not the container's configuration; all others are. In lower case, as their names match in any case. */
const besideConfig = ['hostconfig', 'networkingconfig'];

function noteConfig(body: unknown): unknown {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return body;
  return { ...body, hasNoConfig: Object.keys(body).every((key) => besideConfig.includes(key.toLowerCase())) };
}

export const containerCreateSchema = z.preprocess(noteConfig, schemaOf(createFields));

export const commitFields = { ...containerConfig, hasNoConfig: zero(flag) } as const;
export const commitSchema = z.preprocess(noteConfig, schemaOf(commitFields));

export const containerUpdateSchema = schemaOf(containerUpdate);
export const execCreateSchema = schemaOf(execCreate);
export const execStartSchema = schemaOf(execStart);
export const networkCreateSchema = schemaOf(networkCreate);
export const networkConnectSchema = schemaOf(networkConnect);
export const networkDisconnectSchema = schemaOf(networkDisconnect);
export const volumeCreateSchema = schemaOf(volumeCreate);
