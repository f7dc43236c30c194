/** The door of the lab box. */
export { labCommand } from './command.ts';
export { type LabDefinition, type LabHost, type LabSwitch, type LabUplink, parseLab } from './definition.ts';
export { bringDown } from './down.ts';
export { enterHost, type HostHandle } from './enter.ts';
export { startDaemon } from './host-daemon.ts';
export { findHost, type ListedHost, listHosts } from './list.ts';
export { bringUp } from './up.ts';
