/** `inspect` and `container inspect`, `image inspect` …: prints objects as JSON or with a template. */
import type { NetyardClient } from '@netyard/client';
import { isNetyardError } from '@netyard/core';
import { describeError, Failure } from '../failure.ts';
import type { Context } from '../program/context.ts';
import type { CommandInput, CommandSpec } from '../program/spec.ts';
import { TemplateError } from '../template/error.ts';
import { compileTemplate, type Template } from '../template/evaluate.ts';

interface InspectCall {
  size: boolean;
  stopped: boolean;
}

type Kind = 'container' | 'image' | 'network' | 'volume' | 'peer';

const getters: Readonly<Record<Kind, (client: NetyardClient, ref: string, call: InspectCall) => Promise<unknown>>> = {
  container: (client, ref, { size }) => client.containers.inspect(ref, { size }),
  image: (client, ref) => client.images.inspect(ref),
  network: (client, ref, { stopped }) => client.networks.inspect(ref, stopped ? { stopped } : {}),
  volume: (client, ref) => client.volumes.inspect(ref),
  peer: (client, ref) => client.peers.inspect(ref),
};

const formatFlag = {
  name: 'format',
  short: 'f',
  type: 'string',
  help: "Format output using a custom template: 'json', or a Go template such as '{{.State.Status}}'",
} as const;

const sizeFlag = {
  name: 'size',
  short: 's',
  type: 'bool',
  help: 'Display total file sizes if the type is container',
} as const;

export const inspect: CommandSpec = {
  usage: '[OPTIONS] NAME|ID [NAME|ID...]',
  args: [1, Number.POSITIVE_INFINITY],
  flags: [
    formatFlag,
    sizeFlag,
    { name: 'type', type: 'string', help: 'Only inspect objects of the given type: container, image, network, volume' },
  ],
  examples: ['netyard inspect web', "netyard inspect -f '{{.NetworkSettings.IPAddress}}' web"],
  complete: 'containers',
  run: async (context, input) => {
    const type = input.flags.text('type');
    if (input.flags.has('type') && type === '') throw new Failure(`type is empty: ${kindsText}`);
    if (type !== '' && !isKind(type)) throw new Failure(`unknown type: ${JSON.stringify(type)}: ${kindsText}`);
    const kinds: Kind[] = isKind(type) ? [type] : ['container', 'image', 'network', 'volume'];
    return await inspectAll(context, input, kinds);
  },
};

/** docker's message; the other kinds belong to Swarm. */
const kindsText =
  'must be one of "config", "container", "image", "network", "node", "plugin", "secret", "service", "task", "volume"';

const isKind = (text: string): text is Kind => Object.hasOwn(getters, text);

const ofKind = (kind: Kind, word: string, flags: CommandSpec['flags'], example: string): CommandSpec => ({
  usage: `[OPTIONS] ${word} [${word}...]`,
  args: [1, Number.POSITIVE_INFINITY],
  flags,
  examples: [example],
  complete: `${kind}s`,
  run: (context, input) => inspectAll(context, input, [kind]),
});

export const containerInspect = ofKind(
  'container',
  'CONTAINER',
  [formatFlag, sizeFlag],
  'netyard container inspect web',
);
export const imageInspect = ofKind('image', 'IMAGE', [formatFlag], 'netyard image inspect nginx');
export const networkInspect = ofKind(
  'network',
  'NETWORK',
  [
    formatFlag,
    { name: 'stopped', type: 'bool', help: 'Also list the stopped containers, as StoppedContainers' },
    { name: 'verbose', short: 'v', type: 'bool', help: 'Verbose output for diagnostics' },
  ],
  "netyard network inspect -f '{{range .IPAM.Config}}{{.Subnet}}{{end}}' bridge",
);
export const peerInspect = ofKind('peer', 'NAME', [formatFlag], "netyard peer inspect -f '{{.Path.Link}}' server2");
export const volumeInspect = ofKind('volume', 'VOLUME', [formatFlag], 'netyard volume inspect data');

async function inspectAll(context: Context, { args, flags }: CommandInput, kinds: Kind[]): Promise<number> {
  const format = flags.text('format');
  const render = format === '' || format === 'json' ? undefined : compile(format);
  const call = {
    size: kinds.includes('container') && flags.bool('size'),
    stopped: flags.knows('stopped') && flags.bool('stopped'),
  };
  const found: unknown[] = [];
  const errors: unknown[] = [];
  for (const ref of args) {
    try {
      found.push(await findObject(context.client(), ref, kinds, call));
    } catch (error) {
      errors.push(error);
      if (!isNetyardError(error, 'not-found')) break;
    }
  }
  if (render) for (const object of found) context.print(renderOne(context, render, object));
  else if (format === 'json') context.print(JSON.stringify(found));
  else context.print(found.length > 0 ? indent(found) : '[]');
  if (errors.length > 0) throw new Failure(errors.map(describeError).join('\n'));
  return 0;
}

async function findObject(client: NetyardClient, ref: string, kinds: Kind[], call: InspectCall): Promise<unknown> {
  for (const kind of kinds) {
    try {
      return await getters[kind](client, ref, call);
    } catch (error) {
      if (kinds.length === 1 || !isNetyardError(error, 'not-found')) throw error;
    }
  }
  throw new Failure(`Error: No such object: ${ref}`);
}

/** Four spaces, like the docker CLI. */
const indent = (found: unknown[]): string => JSON.stringify(found, null, 4);

function compile(format: string): Template {
  try {
    return compileTemplate(format, { missing });
  } catch (error) {
    if (error instanceof TemplateError) throw new Failure(`template parsing error: ${error.message}`, 64);
    throw error;
  }
}

/** Fields that the API omits if empty: nil instead of a template error. */
const optional: readonly string[] = [
  'Health',
  'Healthcheck',
  'SizeRw',
  'SizeRootFs',
  'StopSignal',
  'StopTimeout',
  'Init',
  'Mounts',
  'Tmpfs',
  'Sysctls',
  'ExposedPorts',
  'UsageData',
  'Variant',
];

function missing(field: string, fail: (text: string) => TemplateError): unknown {
  if (optional.includes(field)) return null;
  throw fail(`map has no entry for key ${JSON.stringify(field)}`);
}

function renderOne(context: Context, render: Template, object: unknown): string {
  try {
    return render(withGoNames(object));
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    context.print('');
    throw new Failure(`template parsing error: ${error.message}`);
  }
}

/** docker's Go structures use ID, the JSON uses Id: templates may use both. */
function withGoNames(object: unknown): unknown {
  if (typeof object !== 'object' || object === null || !('Id' in object)) return object;
  return Object.defineProperty({ ...object }, 'ID', { value: object.Id, enumerable: false });
}
