/** `netyard lab …`: the words of the command line for what the other files do. */

import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { messageOf, NetyardError, reasonOf } from '@netyard/core';
import { Argument, type Command } from 'commander';
import { setCable } from './cable.ts';
import type { LabDefinition } from './definition.ts';
import { bringDown } from './down.ts';
import { execInHost } from './exec.ts';
import { killHost, startHost } from './host-lifecycle.ts';
import { LabCommand } from './lab-command.ts';
import { parseLab } from './lab-file.ts';
import { findHost, type ListedHost, listHosts } from './list.ts';
import { bringUp } from './up.ts';

const examples = `
Examples:
  netyard lab up examples/tutorial.yaml
  netyard lab exec server1 -- docker ps        # a host by its name, or LAB/HOST
  netyard lab exec server1                     # a shell in it
  netyard lab link server1 down                # pulls its network cable; up puts it back
  netyard lab link r-paris:core down           # that of a router, or of a host, to one switch
  netyard lab kill server1                     # pulls its power plug: everything in it ends at once
  netyard lab start server1                    # it comes up again with the files it had
  netyard lab kill server1:daemon              # kill -9 of the daemon only, or of a service by its name
  netyard lab ls
  netyard lab down tutorial

A file with one switch:
  name: tutorial
  switch: 172.16.0.0/16
  hosts:
    server1: { address: 172.16.2.101, bip: 192.168.11.1/24 }
    server2: { address: 172.16.2.102, daemon: [--bip=192.168.12.1/24] }   # or daemon: false
Several, with a router between them and a service:
  name: sites
  switches: { paris: 172.16.1.0/24, oslo: { prefix: 172.16.2.0/24, mtu: 1400 } }
  routers:
    r1: { paris: 172.16.1.1, oslo: 172.16.2.1 }   # routes: { PREFIX: NEXT-HOP } where the shortest way is not wanted
  hosts:
    a: { switch: paris, address: 172.16.1.11, gateway: r1 }
    b: { switch: oslo, address: 172.16.2.11, gateway: r1, services: { echo: "socat tcp-listen:7,fork pipe" } }`;

/**
 * The command with its subcommands; their actions throw NetyardError and set `process.exitCode`, a wrong line throws a
 * CommanderError with the text for stderr.
 */
export function labCommand(): Command {
  const lab = new LabCommand('lab').description('Virtual hosts on this machine').enablePositionalOptions();
  lab.usage('COMMAND').addHelpText('after', examples);
  lab
    .command('up')
    .usage('[OPTIONS] FILE')
    .description('Make the lab that a file describes')
    .argument('<file>', 'YAML: name, switch or switches, routers, hosts')
    .option('--no-daemon', 'start no daemon in any host')
    .action((file: string, options: { daemon: boolean }) => up(file, options.daemon));
  lab
    .command('ls')
    .usage('[OPTIONS]')
    .alias('list')
    .description('List labs, their hosts, links and services')
    .option('--format <format>', 'table or json', 'table')
    .action((options: { format: string }) => list(options.format));
  lab
    .command('exec')
    .description('Run a command in a host; DOCKER_HOST and NETYARD_HOST point to its daemon')
    .usage('HOST [--] [COMMAND [ARG...]]')
    .argument('<host>', 'HOST, or LAB/HOST where several labs have one')
    .argument('[command...]', 'a shell unless given')
    .passThroughOptions()
    .action((host: string, command: string[]) => execute(host, command));
  addChanges(lab);
  lab
    .command('down')
    .usage('NAME')
    .description('Take a lab away with all that is in it')
    .argument('<name>')
    .action(async (name: string) => {
      await bringDown(name);
      console.log(`lab ${name}: down`);
    });
  return lab;
}

/** What may happen to a lab while it stands. */
function addChanges(lab: Command): void {
  lab
    .command('link')
    .usage('HOST[:SWITCH] down|up')
    .description('Cut or restore the cable between a host and its switch')
    .argument('<host>', 'HOST, or HOST:SWITCH of one that has several')
    .addArgument(new Argument('<state>').choices(['down', 'up']))
    .action((host: string, state: 'up' | 'down') => setCable(host, state));
  lab
    .command('kill')
    .usage('HOST[:PROGRAM] [HOST[:PROGRAM]...]')
    .description('End everything in hosts at once, as if their plug were pulled')
    .argument('<host...>', 'HOST, or HOST:PROGRAM for its daemon or a service only')
    .action((hosts: string[]) => onEach(hosts, killHost));
  lab
    .command('start')
    .usage('HOST[:PROGRAM] [HOST[:PROGRAM]...]')
    .description('Start killed hosts with the files they had')
    .argument('<host...>', 'HOST, or HOST:PROGRAM for its daemon or a service only')
    .action((hosts: string[]) =>
      interruptible(new NetyardError('conflict', 'interrupted'), (signal) =>
        onEach(hosts, (host) => startHost(host, signal)),
      ),
    );
}

/** All at once, for hosts may wait for each other; throws the first failure after all have ended, tells the others. */
async function onEach(hosts: readonly string[], work: (host: string) => Promise<void>): Promise<void> {
  const results = await Promise.allSettled(hosts.map(work));
  const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
  const [first, ...others] = failures;
  for (const other of others) console.error(messageOf(other));
  if (first !== undefined) throw first;
}

async function up(file: string, daemons: boolean): Promise<void> {
  const lab = parseLab(readLabFile(file), file);
  const wanted: LabDefinition = daemons
    ? lab
    : { ...lab, hosts: lab.hosts.map((host) => ({ ...host, daemon: false })) };
  await interruptible(new NetyardError('conflict', `lab ${lab.name}: interrupted and undone`), (signal) =>
    bringUp(wanted, { say: (line) => console.log(line), signal }),
  );
}

/** Work that Ctrl-C and the like end in order; then the exit code says which signal it was, as a shell does. */
async function interruptible(reason: NetyardError, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const interrupted = new AbortController();
  const interrupt = (signal: NodeJS.Signals): void => {
    process.exitCode = 128 + constants.signals[signal];
    interrupted.abort(reason);
  };
  const signals: NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of signals) process.on(signal, interrupt);
  try {
    await work(interrupted.signal);
  } catch (error) {
    if (error !== reason) throw error;
    console.error(messageOf(error));
  } finally {
    for (const signal of signals) process.off(signal, interrupt);
  }
}

function readLabFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new NetyardError('invalid', `cannot read ${file}: ${reasonOf(error)}`, { cause: error });
  }
}

async function list(format: string): Promise<void> {
  if (format !== 'table' && format !== 'json')
    throw new NetyardError('invalid', `--format is table or json, not ${format}`);
  const hosts = await listHosts();
  if (format === 'json') {
    for (const host of hosts) console.log(JSON.stringify(host));
    return;
  }
  for (const line of formatTable(hosts)) console.log(line);
}

/** Columns as docker prints them. Pure. */
export function formatTable(hosts: readonly ListedHost[]): string[] {
  const rows = [['LAB', 'HOST', 'ADDRESS', 'BIP', 'LINKS', 'STATUS', 'DAEMON', 'SERVICES'], ...hosts.map(rowOf)];
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd((widths[column] ?? 0) + 3))
      .join('')
      .trimEnd(),
  );
}

function rowOf(one: ListedHost): string[] {
  const links = one.links.map((link) => `${link.link} ${link.state}`);
  const services = Object.entries(one.services).map(([name, state]) => `${name} ${state}`);
  const daemon = one.role === 'router' ? 'router' : one.daemon;
  const lists = [links, services].map((words) => words.join(', '));
  return [
    one.lab,
    one.host,
    one.addresses.join(','),
    one.bip ?? '',
    lists[0] ?? '',
    one.status,
    daemon,
    lists[1] ?? '',
  ];
}

/** Runs it with our own streams, passes signals on, ends with its exit code. */
async function execute(host: string, words: readonly string[]): Promise<void> {
  const handle = findHost(host);
  const command = words[0] === '--' ? words.slice(1) : words;
  const child = execInHost(handle, command.length > 0 ? command : [process.env['SHELL'] ?? 'sh'], {
    environment: process.env,
    folder: process.cwd(),
    stdio: 'inherit',
  });
  // From a terminal the command gets these by itself, and decides; we only have to outlive it.
  const ignore = (): void => {};
  const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
  process.on('SIGINT', ignore).on('SIGQUIT', ignore).on('SIGTERM', pass).on('SIGHUP', pass);
  process.exitCode = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal ?? 'SIGKILL']));
  });
}
