/** Public API of the lab package. */

export { setCable } from './cable.ts';
export { labCommand } from './command.ts';
export type { LabDefinition, LabHost, LabRoute, LabService, LabSwitch, LabUplink } from './definition.ts';
export { bringDown } from './down.ts';
export { execInHost, type HostHandle } from './exec.ts';
export { startDaemon } from './host-daemon.ts';
export { killHost, startHost } from './host-lifecycle.ts';
export { parseLab } from './lab-file.ts';
export { hostLayout } from './layout.ts';
export { findHost, type ListedHost, listHosts } from './list.ts';
export { bringUp } from './up.ts';
