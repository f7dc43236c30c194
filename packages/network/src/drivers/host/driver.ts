/** The driver `host`: containers use the host's network namespace. Pure. */
import type { Driver } from '../driver.ts';
import { driverWithoutObjects } from '../without-objects.ts';

export const hostDriver: Driver = driverWithoutObjects('host', { hostNamespace: true });
