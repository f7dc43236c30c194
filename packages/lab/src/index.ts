/** The door of the lab box. */

export { setCable } from './cable.ts';
export { labCommand } from './command.ts';
export type { LabDefinition, LabHost, LabRoute, LabService, LabSwitch, LabUplink } from './definition.ts';
export { bringDown } from './down.ts';
export { enterHost, type HostHandle } from './enter.ts';
export { startDaemon } from './host-daemon.ts';
export { parseLab } from './lab-file.ts';
export { findHost, type ListedHost, listHosts } from './list.ts';
export { hostPlaces } from './places.ts';
export { killHost, startHost } from './power.ts';
export { bringUp } from './up.ts';
