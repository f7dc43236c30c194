/** The thread that samples namespaces: see `sampleNamespaces`. */
import { serveJobs } from '@netyard/core';
import type { SampleAnswer, SampleRequest } from './contract.ts';
import { sampleNamespaces } from './sample.ts';

serveJobs<SampleRequest, SampleAnswer>(
  (send) =>
    ({ paths }) =>
      send({ digests: sampleNamespaces(paths) }),
);
