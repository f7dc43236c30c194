/** All parts of packet tracing as one object, so that tests of their users can replace it. */
import type { PacketTracing } from '../../packet-trace.ts';
import { findConnection } from './connection.ts';
import { readCounters } from './counters.ts';
import { openPacketWatch } from './packet-watch.ts';
import { openProbe } from './probe.ts';
import { queryRoute } from './route-query.ts';
import { openRuleTrace } from './rule-trace.ts';
import { solicitNeighbours } from './solicit.ts';
import { openTap } from './tap.ts';

/** On Linux. Libraries are loaded on first use. */
export const packetTracing = (): PacketTracing => ({
  ...{
    openRuleTrace,
    openTap,
    openPacketWatch,
    openProbe,
    queryRoute,
    readCounters,
    solicitNeighbours,
    findConnection,
  },
});
