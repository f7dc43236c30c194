/** Messages between the main thread and the one that samples namespaces. Types only. */

export interface SampleRequest {
  paths: readonly string[];
}

export interface SampleAnswer {
  /** For each path; undefined where the namespace could not be read. */
  digests: (number | undefined)[];
}
