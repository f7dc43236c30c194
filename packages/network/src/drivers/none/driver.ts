/** The driver of the network `none`, named `null` as in Docker: a namespace with a loopback interface only. Pure. */
import type { Driver } from '../driver.ts';
import { driverWithoutObjects } from '../without-objects.ts';

export const noneDriver: Driver = driverWithoutObjects('null', { hostNamespace: false });
