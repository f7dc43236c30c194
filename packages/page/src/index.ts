/** What the page draws, for the server that sends it. The rest of this package runs in a browser. */
export type * from './model.ts';
