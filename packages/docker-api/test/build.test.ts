/** The route of builds: which platforms it accepts. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type Answer, serve } from './client.ts';
import { fakeOptions } from './fake-engine.ts';

/** Answers of a daemon on `machine` whose builds end at once. */
async function open(t: TestContext, machine: string): Promise<(platform: string) => Promise<Answer>> {
  const { engine, info } = fakeOptions({});
  const build = async function* () {};
  const server = await serve(t, {}, {}, { engine: { ...engine, build }, info: { ...info, machine } });
  return (platform) => server.send('POST', `/build?platform=${encodeURIComponent(platform)}`);
}

test('a build for this machine’s platform is accepted in each of its forms', async (t) => {
  const forms = {
    x86_64: ['', 'linux', 'amd64', 'x86_64', 'linux/amd64', 'Linux/AMD64', 'linux/x86_64', 'linux/amd64/v1'],
    aarch64: ['', 'linux', 'arm64', 'aarch64', 'linux/arm64', 'linux/aarch64', 'linux/arm64/v8'],
  };
  for (const [machine, platforms] of Object.entries(forms)) {
    const build = await open(t, machine);
    for (const platform of platforms) {
      const { status, body } = await build(platform);
      assert.equal(status, 200, `${machine} ${platform}: ${body}`);
    }
  }
});

test('a build for another platform is rejected, and one for none is invalid', async (t) => {
  const build = await open(t, 'x86_64');
  for (const platform of ['linux/s390x', 'linux/arm64', 'windows', 'linux/amd64/v3', 'armhf']) {
    const { status, body } = await build(platform);
    assert.equal(status, 501, platform);
    const message = `Netyard builds images for linux/amd64 only, not for ${platform}`;
    assert.ok(JSON.parse(body).message.startsWith(message), body);
  }
  const invalid = {
    nonsense: '"nonsense": unknown operating system or architecture: invalid argument',
    'a/b/c/d': '"a/b/c/d": cannot parse platform specifier: invalid argument',
    'linux/a!': '"a!" is an invalid component of "linux/a!": invalid argument',
  };
  for (const [platform, message] of Object.entries(invalid)) {
    const { status, body } = await build(platform);
    assert.equal(status, 400, platform);
    assert.deepEqual(JSON.parse(body), { message });
  }
});
