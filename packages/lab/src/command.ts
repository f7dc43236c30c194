/** The command line of `netyard lab …`. */

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
  netyard lab link server1 down                # cuts its network cable; up restores it
  netyard lab link r-paris:core down           # one cable of a router or host with several
  netyard lab kill server1                     # power failure: all its processes end at once
  netyard lab start server1                    # it boots again with its files
  netyard lab kill server1:daemon              # kill -9 of only the daemon, or of a service by name
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
    r1: { paris: 172.16.1.1, oslo: 172.16.2.1 }   # routes: { PREFIX: NEXT-HOP } override the shortest path
  hosts:
    a: { switch: paris, address: 172.16.1.11, gateway: r1 }
    b: { switch: oslo, address: 172.16.2.11, gateway: r1, services: { echo: "socat tcp-listen:7,fork pipe" } }`;

/**
 * The command with its subcommands. Actions throw NetyardError or set `process.exitCode`; a usage error throws a
 * CommanderError with the text for stderr.
 */
export function labCommand(): Command {
  const lab = new LabCommand('lab').description('Virtual hosts on this machine').enablePositionalOptions();
  lab.usage('COMMAND').addHelpText('after', examples);
  lab
    .command('up')
    .usage('[OPTIONS] FILE')
    .description('Create the lab that a file describes')
    .argument('<file>', 'YAML: name, switch or switches, routers, hosts')
    .option('--no-daemon', 'do not start daemons in the hosts')
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
    .argument('<host>', 'HOST, or LAB/HOST if several labs have such a host')
    .argument('[command...]', 'default: a shell')
    .passThroughOptions()
    .action((host: string, command: string[]) => execute(host, command));
  addChanges(lab);
  lab
    .command('down')
    .usage('NAME')
    .description('Delete a lab with everything in it')
    .argument('<name>')
    .action(async (name: string) => {
      await bringDown(name);
      console.log(`lab ${name}: down`);
    });
  return lab;
}

/** Subcommands that change a running lab. */
function addChanges(lab: Command): void {
  lab
    .command('link')
    .usage('HOST[:SWITCH] down|up')
    .description('Cut or restore the cable between a host and its switch')
    .argument('<host>', 'HOST, or HOST:SWITCH if it has several cables')
    .addArgument(new Argument('<state>').choices(['down', 'up']))
    .action((host: string, state: 'up' | 'down') => setCable(host, state));
  lab
    .command('kill')
    .usage('HOST[:PROGRAM] [HOST[:PROGRAM]...]')
    .description('Kill hosts at once, as in a power failure')
    .argument('<host...>', 'HOST, or HOST:PROGRAM for only its daemon or a service')
    .action((hosts: string[]) => onEach(hosts, killHost));
  lab
    .command('start')
    .usage('HOST[:PROGRAM] [HOST[:PROGRAM]...]')
    .description('Start killed hosts with their files')
    .argument('<host...>', 'HOST, or HOST:PROGRAM for only its daemon or a service')
    .action((hosts: string[]) =>
      interruptible(new NetyardError('conflict', 'interrupted'), (signal) =>
        onEach(hosts, (host) => startHost(host, signal)),
      ),
    );
}

/**
 * Runs concurrently, because hosts may wait for each other. After all have ended, throws the first failure and prints
 * the others.
 */
async function onEach(hosts: readonly string[], work: (host: string) => Promise<void>): Promise<void> {
  const results = await Promise.allSettled(hosts.map(work));
  const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
  const [first, ...others] = failures;
  for (const other of others) console.error(messageOf(other));
  if (first !== undefined) throw first;
}

async function up(file: string, daemons: boolean): Promise<void> {
  const lab = parseLab(readLabFile(file), file);
  const definition: LabDefinition = daemons
    ? lab
    : { ...lab, hosts: lab.hosts.map((host) => ({ ...host, daemon: false })) };
  await interruptible(new NetyardError('conflict', `lab ${lab.name}: interrupted and rolled back`), (signal) =>
    bringUp(definition, { say: (line) => console.log(line), signal }),
  );
}

/**
 * Runs work that SIGINT, SIGTERM and SIGHUP abort in order; the exit code is 128 plus the signal's number, as in a
 * shell.
 */
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
    throw new NetyardError('invalid', `invalid --format ${format}: must be table or json`);
  const hosts = await listHosts();
  if (format === 'json') {
    for (const host of hosts) console.log(JSON.stringify(host));
    return;
  }
  for (const line of formatTable(hosts)) console.log(line);
}

/** Formats columns as docker does. Pure. */
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
  const lists = [links, services].map((items) => items.join(', '));
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

/** Runs the command with our own streams, forwards signals, and exits with its exit code. */
async function execute(host: string, args: readonly string[]): Promise<void> {
  const handle = findHost(host);
  const command = args[0] === '--' ? args.slice(1) : args;
  const child = execInHost(handle, command.length > 0 ? command : [process.env['SHELL'] ?? 'sh'], {
    environment: process.env,
    folder: process.cwd(),
    stdio: 'inherit',
  });
  // The terminal sends these to the command too, which decides; this process only has to outlive it.
  const ignore = (): void => {};
  const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
  process.on('SIGINT', ignore).on('SIGQUIT', ignore).on('SIGTERM', pass).on('SIGHUP', pass);
  process.exitCode = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal ?? 'SIGKILL']));
  });
}
