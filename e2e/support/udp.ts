/** UDP from inside lab hosts and containers, whose images have no tool for it: small programs for our own Node. */

const server = (port: number): string => `
  const socket = require('node:dgram').createSocket('udp4');
  socket.on('message', (data, from) => socket.send(data + ' from ' + from.address, from.port, from.address));
  socket.bind(${port}, () => console.log('listening'));`;

const client = (address: string, port: number, text: string): string => `
  const socket = require('node:dgram').createSocket('udp4');
  let left = 10;
  const ask = () => (left-- > 0 ? socket.send(${JSON.stringify(text)}, ${port}, '${address}') : process.exit(1));
  socket.on('message', (data) => { console.log(String(data)); process.exit(0); });
  setInterval(ask, 200);
  ask();`;

/** A server on all addresses of the namespace of process `pid` (as the host numbers it); answers `TEXT from ADDRESS`. */
export const udpServer = (pid: string, port: number): string[] => [
  ...['nsenter', `--net=/proc/${pid}/ns/net`, process.execPath, '-e', server(port)],
];

/** Sends a datagram until an answer comes, at most ten times; prints the answer. */
export const udpClient = (address: string, port: number, text: string): string[] => [
  ...[process.execPath, '-e', client(address, port, text)],
];
