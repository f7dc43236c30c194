/** A create request without options. */
import { type ContainerConfig, plainConfig } from '../../src/index.ts';

export const configOf = (change: Partial<ContainerConfig> = {}): ContainerConfig => plainConfig('nginx-web01', change);
