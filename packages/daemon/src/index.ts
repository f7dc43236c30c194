/** The door of the daemon: `netyard daemon` comes in here, nothing else. */
export { runDaemon } from './main.ts';
