/** `netyard lab …`: the words of the command line for what the other files do. */

import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { messageOf, NetyardError } from '@netyard/core';
import { Command } from 'commander';
import type { LabDefinition } from './definition.ts';
import { bringDown } from './down.ts';
import { enterHost } from './enter.ts';
import { parseLab } from './lab-file.ts';
import { findHost, type ListedHost, listHosts } from './list.ts';
import { bringUp } from './up.ts';

/** The command with its subcommands; their actions throw NetyardError and set `process.exitCode`. */
export function labCommand(): Command {
  const lab = new Command('lab').description('Virtual hosts on this machine').enablePositionalOptions();
  lab
    .command('up')
    .description('Make the lab that a file describes')
    .argument('<file>', 'YAML: name, switch, hosts')
    .option('--no-daemon', 'start no daemon in any host')
    .action((file: string, options: { daemon: boolean }) => up(file, options.daemon));
  lab
    .command('ls')
    .alias('list')
    .description('List labs and their hosts')
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
  lab
    .command('down')
    .description('Take a lab away with all that is in it')
    .argument('<name>')
    .action(async (name: string) => {
      await bringDown(name);
      console.log(`lab ${name}: down`);
    });
  return lab;
}

async function up(file: string, daemons: boolean): Promise<void> {
  const lab = parseLab(readLabFile(file), file);
  const wanted: LabDefinition = daemons
    ? lab
    : { ...lab, hosts: lab.hosts.map((host) => ({ ...host, daemon: false })) };
  const interrupted = new AbortController();
  const interrupt = (signal: NodeJS.Signals): void => {
    process.exitCode = 128 + constants.signals[signal];
    interrupted.abort(new NetyardError('conflict', `lab ${lab.name}: interrupted and undone`));
  };
  const signals: NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of signals) process.on(signal, interrupt);
  try {
    await bringUp(wanted, { say: (line) => console.log(line), signal: interrupted.signal });
  } catch (error) {
    if (error !== interrupted.signal.reason) throw error;
    console.error(messageOf(error)); // the exit code says the rest, as a shell does of a signal
  } finally {
    for (const signal of signals) process.off(signal, interrupt);
  }
}

function readLabFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new NetyardError('invalid', `cannot read ${file}: ${messageOf(error)}`, { cause: error });
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
  const rows = [
    ['LAB', 'HOST', 'ADDRESS', 'BIP', 'STATUS', 'DAEMON'],
    ...hosts.map((one) => [one.lab, one.host, one.addresses.join(','), one.bip ?? '', one.status, one.daemon]),
  ];
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd((widths[column] ?? 0) + 3))
      .join('')
      .trimEnd(),
  );
}

/** Runs it with our own streams, passes signals on, ends with its exit code. */
async function execute(host: string, words: readonly string[]): Promise<void> {
  const handle = findHost(host);
  const command = words[0] === '--' ? words.slice(1) : words;
  const child = enterHost(handle, command.length > 0 ? command : [process.env['SHELL'] ?? 'sh'], {
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
