/**
 * Control sequences of a hostile engine, registry, image or container never reach the terminal: commands run against a
 * server that puts escape sequences into all its responses.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, before, test } from 'node:test';
import { encodeEnd, encodeHeader, systemClock, tarHeader } from '@netyard/core';
import { escapeControls } from './format/escape.ts';
import { main } from './netyard.ts';

/** Sets the title, moves the cursor, 8-bit CSI, text direction, and a carriage return that overwrites the line. */
const hostile = 'x\x1b]0;owned\x07\x1b[2J\r\x9b1A\u202ey';
let folder: string;
let server: Server;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'netyard-hostile-'));
  server = createServer(answer).listen(join(folder, 'socket'));
  await once(server, 'listening');
});
after(() => {
  server.close();
  server.closeAllConnections();
  rmSync(folder, { recursive: true });
});

const container = {
  Id: 'a'.repeat(64),
  Names: [`/${hostile}`],
  Image: hostile,
  ImageID: hostile,
  Command: hostile,
  Created: 0,
  State: 'running',
  Status: hostile,
  Ports: [],
  Labels: { [hostile]: hostile },
  Mounts: [],
  HostConfig: { NetworkMode: hostile },
  NetworkSettings: { Networks: {} },
};

function answer(request: IncomingMessage, response: ServerResponse): void {
  const path = request.url ?? '';
  const json = (status: number, value: unknown): void => {
    response.writeHead(status, { 'Content-Type': 'application/json', 'Api-Version': '1.41' });
    response.end(JSON.stringify(value));
  };
  request.resume();
  if (path.includes('/_ping')) json(200, 'OK');
  else if (path.includes('/containers/json')) json(200, [container]);
  else if (path.includes('/archive') && request.method === 'GET') {
    const stat = {
      name: hostile,
      size: 0,
      mode: 0x80000000 + 0o755,
      mtime: '2026-01-01T00:00:00Z',
      linkTarget: hostile,
    };
    const encoded = Buffer.from(JSON.stringify(stat)).toString('base64');
    response.writeHead(200, { 'X-Docker-Container-Path-Stat': encoded, 'Content-Type': 'application/x-tar' });
    const header = encodeHeader(tarHeader({ name: `../${hostile}`, type: 'symlink', linkname: hostile }));
    response.end(Buffer.concat([header, encodeEnd()]));
  } else if (path.includes('/images/create')) {
    response.writeHead(200, { 'Content-Type': 'application/json' });
    const lines = [
      { status: `Pulling from ${hostile}`, id: hostile },
      { status: hostile, id: hostile, progressDetail: { current: 1, total: 2 } },
      { errorDetail: { message: `denied: ${hostile}` }, error: `denied: ${hostile}` },
    ];
    response.end(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  } else json(500, { message: `server says ${hostile}` });
}

/** Output of a command on a terminal. */
async function onTerminal(...words: string[]): Promise<string> {
  const output = Object.assign(new PassThrough(), { isTTY: true, columns: 80, rows: 24 });
  const env = { DOCKER_HOST: `unix://${join(folder, 'socket')}`, NETYARD_HOST: `unix://${join(folder, 'socket')}` };
  const given = { stdin: new PassThrough(), stdout: output, stderr: output, env, clock: systemClock, cwd: folder };
  await main(words, given);
  let text = '';
  for (let chunk = output.read(); chunk !== null; chunk = output.read()) text += String(chunk);
  return text;
}

const cases: string[][] = [
  ['ps'],
  ['ps', '--no-trunc'],
  ['ps', '--format', '{{.Names}} {{.Labels}} {{.Image}} {{.Command}} {{.Status}}'],
  ['ps', '--format', 'table {{.Names}}\t{{.Labels}}'],
  ['ps', '--format', '{{json .}}'],
  ['cp', 'web:/x', '.'],
  ['inspect', 'web'],
  ['rm', hostile],
  ['pull', 'registry.test/image:1'],
  ['pull', hostile],
  ['run', hostile],
  ['rmi', hostile],
];

for (const words of cases) {
  test(`netyard ${escapeControls(words.join(' '))} sends no control characters to the terminal`, async () => {
    const text = await onTerminal(...words);
    assert.notEqual(text, '');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the cursor moves of the progress itself
    const rest = text.replace(/\x1b\[\d+[AB]|\x1b\[2K\r|\r(?=\x1b\[\d+B)/g, '');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it is about
    assert.doesNotMatch(rest, /[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]/);
  });
}
