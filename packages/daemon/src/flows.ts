/** Flows of other hosts' probes that this host observes: bounded in number, each for some seconds. */
import { NetyardError } from '@netyard/core';
import type { ApiOptions, ServedFlow } from '@netyard/docker-api';
import type { Networks } from '@netyard/sandbox';

/** Each has BPF programs, or a packet socket per namespace, and an nftables table per namespace. */
const maxFlows = 8;

/** `socket`: on which this daemon answers, if it is on a unix socket; other engines are found by their usual paths. */
export function openFlows(networks: Networks, sockets: readonly string[]): ApiOptions['openFlow'] {
  let open = 0;
  return async (request) => {
    if (open >= maxFlows)
      throw new NetyardError('unavailable', `this host observes ${maxFlows} traces at the same time already`);
    open += 1;
    try {
      return countClose(await openOne(networks, sockets, request), () => {
        open -= 1;
      });
    } catch (error) {
      open -= 1;
      throw error;
    }
  };
}

type Request = Parameters<ApiOptions['openFlow']>[0];

/** Loaded at the first request. */
async function openOne(networks: Networks, sockets: readonly string[], request: Request): Promise<ServedFlow> {
  const { observeNamespaces, surveyHost } = await import('@netyard/topology');
  const { openFlow, openTraceTools, selectNamespaces, serveFlow } = await import('@netyard/trace');
  const { packetTracing } = await import('@netyard/kernel');
  const survey = (): ReturnType<typeof surveyHost> => surveyHost({ env: {}, sockets });
  const tools = {
    ...openTraceTools(packetTracing()),
    observe: async () => {
      const found = await survey();
      return await observeNamespaces(found, selectNamespaces(found, request), { socketProcesses: true });
    },
    knownHosts: async () =>
      (await networks.peers()).map(({ record: { name, address, subnets } }) => ({ name, address, subnets })),
  };
  const session = await openFlow(tools, request);
  return { serve: (connection) => serveFlow(session, connection), close: () => session.close() };
}

function countClose({ serve, close }: ServedFlow, closed: () => void): ServedFlow {
  let isClosed = false;
  const note = (): void => {
    if (!isClosed) closed();
    isClosed = true;
  };
  return {
    serve: (connection) => serve(connection).finally(note),
    close: () => {
      close();
      note();
    },
  };
}
