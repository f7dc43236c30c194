/** The part of an image's configuration that says how its processes run: a container's configuration has it, too. */
import type { ImageConfig } from '../model.ts';

export type ProcessDefaults = Omit<
  ImageConfig,
  'architecture' | 'os' | 'variant' | 'author' | 'created' | 'diffIds' | 'history'
>;

export const emptyProcessDefaults: ProcessDefaults = {
  env: [],
  entrypoint: [],
  command: [],
  workingDirectory: '',
  user: '',
  exposed: [],
  volumes: [],
  labels: {},
  stopSignal: '',
};
