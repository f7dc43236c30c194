/** UDP server and client for lab hosts and containers, as programs for Node: the images have no tool for it. */

const server = (port: number): string => `
  const socket = require('node:dgram').createSocket('udp4');
  socket.on('message', (data, from) => socket.send(data + ' from ' + from.address, from.port, from.address));
  socket.bind(${port}, () => console.log('listening'));`;

const client = (address: string, port: number, text: string): string => `
  const socket = require('node:dgram').createSocket('udp4');
  let left = 300;
  const send = () => (left-- > 0 ? socket.send(${JSON.stringify(text)}, ${port}, '${address}') : process.exit(1));
  socket.on('message', (data) => { console.log(String(data)); process.exit(0); });
  setInterval(send, 200);
  send();`;

/** A server on all addresses in the network namespace of `pid` (of the host's pid namespace). Answers `TEXT from ADDRESS`. */
export const udpServer = (pid: string, port: number): string[] => [
  ...['nsenter', `--net=/proc/${pid}/ns/net`, process.execPath, '-e', server(port)],
];

/** Sends a datagram every 200 ms for up to a minute until it is answered, and prints the answer. */
export const udpClient = (address: string, port: number, text: string): string[] => [
  ...[process.execPath, '-e', client(address, port, text)],
];
