/** Opens the page with the address of `netyard web` and follows its stream as several tabs do: `node tabs.ts URL COUNT`. */
import { Agent, type IncomingMessage, request } from 'node:http';

const [address = '', count = '1'] = process.argv.slice(2);
const { host, hostname, port, hash } = new URL(address);
const agent = new Agent({ keepAlive: false });
const own = { Host: host, 'X-Netyard-Page': '1' };

function send(method: string, path: string, headers: Record<string, string>, body = ''): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, method, path, agent, headers: { ...own, ...headers } }, resolve);
    sent.on('error', reject);
    sent.end(body);
  });
}

const body = JSON.stringify({ token: hash.replace('#token=', '') });
const answer = await send('POST', '/api/session', { 'Content-Type': 'application/json' }, body);
const { key } = JSON.parse(Buffer.concat(await answer.toArray()).toString()) as { key: string };
const cookie = answer.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
for (let tab = 0; tab < Number(count); tab += 1) {
  const stream = await send('GET', '/api/stream', { Cookie: cookie, 'X-Netyard-Key': key });
  if (stream.statusCode !== 200) throw new Error(`tab ${tab}: status ${stream.statusCode}`);
  stream.resume();
}
console.log('open');
