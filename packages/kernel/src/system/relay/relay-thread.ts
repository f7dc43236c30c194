/**
 * The thread that relays the connections of clients to containers. It waits in epoll_wait(2) instead of Node's event loop,
 * because Node offers neither the destination of datagrams nor flow control without streams.
 */
import { readSync } from 'node:fs';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { blockSignals, closeFile } from '../calls.ts';
import { EPOLLIN } from '../epoll-event.ts';
import type { RelayCommand, RelayThreadData } from './contract.ts';
import { limitsFor, readMaxOpenFiles } from './limits.ts';
import { Poller } from './poller.ts';
import { RelayServer } from './server.ts';

/** The end of the process waits for this thread. */
const longestWaitMs = 1000;

const { wakeUp } = workerData as RelayThreadData;
const poller = new Poller();
const server = new RelayServer(poller, limitsFor(readMaxOpenFiles()));
let isRunning = true;

function handleCommands(): void {
  readSync(wakeUp, new Uint8Array(8));
  for (;;) {
    const received = parentPort ? receiveMessageOnPort(parentPort) : undefined;
    if (received === undefined) return;
    const command = received.message as RelayCommand;
    if (command.action === 'open') server.open(command);
    else if (command.action === 'close') server.close(command.id);
    else isRunning = false;
  }
}

blockSignals();
poller.add(wakeUp, EPOLLIN, handleCommands);
try {
  while (isRunning) {
    poller.wait(longestWaitMs);
    server.tick(performance.now());
  }
} finally {
  server.endAll();
  poller.close();
  closeFile(wakeUp);
}
