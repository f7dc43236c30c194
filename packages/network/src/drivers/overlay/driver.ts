/**
 * The driver `overlay`: a network of the cluster. Each host has a part of its subnet, on a bridge of its own; a packet to
 * another host's part is routed there as packets to peers are. Pure.
 */
import { bridgeDriver } from '../bridge/driver.ts';
import { canHaveSegments } from '../bridge/options.ts';
import type { Driver } from '../driver.ts';
import { openOverlayPlanner } from './plan.ts';
import { validateOverlay } from './validate.ts';

export const overlayDriver: Driver = {
  name: 'overlay',
  capabilities: bridgeDriver.capabilities,
  validate: validateOverlay,
  hasGateway: () => true,
  canHaveSegments,
  parentOf: () => undefined,
  openPlanner: openOverlayPlanner,
};
