/** The table of drivers: one line per driver. */
import { NetyardError } from '@netyard/core';
import type { NetworkRecord } from '../contract.ts';
import { bridgeDriver } from './bridge/driver.ts';
import type { Driver } from './driver.ts';
import { hostDriver } from './host/driver.ts';
import { ipvlanDriver } from './ipvlan/driver.ts';
import { macvlanDriver } from './macvlan/driver.ts';
import { noneDriver } from './none/driver.ts';
import { overlayDriver } from './overlay/driver.ts';

const drivers: readonly Driver[] = [
  bridgeDriver, //
  hostDriver,
  ipvlanDriver,
  macvlanDriver,
  noneDriver,
  overlayDriver,
];

const byName: ReadonlyMap<string, Driver> = new Map(drivers.map((driver) => [driver.name, driver]));

/** Docker's names of all drivers, as `docker info` lists them. */
export const driverNames: readonly string[] = [...byName.keys()].sort();

/** By Docker's name; undefined for a driver that Netyard does not have. */
export const findDriver = (name: string): Driver | undefined => byName.get(name);

/** Of configuration-only networks, to which nothing is attached: allocateEndpoint rejects it. */
const configurationDriver: Driver = {
  ...noneDriver,
  capabilities: { ...noneDriver.capabilities, otherNetworks: true },
};

/** Throws `failed` for a record of a Netyard that had more drivers. */
export function driverOf(record: Pick<NetworkRecord, 'name' | 'driver' | 'configuration'>): Driver {
  if (record.configuration) return configurationDriver;
  const driver = findDriver(record.driver);
  if (driver) return driver;
  throw new NetyardError('failed', `network ${record.name} has the unknown driver ${record.driver}`);
}
