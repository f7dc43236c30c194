/** Invalid image archives: malformed, or crafted to write outside of the image. */
import { createHash } from 'node:crypto';
import { type Header, pack } from 'tar-stream';

type Entry = Pick<Header, 'name'> &
  Partial<Pick<Header, 'type' | 'linkname' | 'devmajor' | 'devminor'>> & {
    content?: string | Buffer;
  };

async function tar(entries: readonly Entry[]): Promise<Buffer> {
  const archive = pack();
  for (const { content, ...header } of entries) archive.entry(header, content ?? '');
  archive.finalize();
  const parts: Buffer[] = [];
  for await (const part of archive) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

const sha256 = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex');

/** An archive of one layer in the format of `docker save`; `manifest` replaces the manifest, `more` adds members. */
async function archiveOf(
  layer: Buffer,
  changes: { manifest?: string; diffId?: string; more?: readonly Entry[] } = {},
): Promise<Buffer> {
  const config = JSON.stringify({
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    config: { Cmd: ['true'] },
    rootfs: { type: 'layers', diff_ids: [`sha256:${changes.diffId ?? sha256(layer)}`] },
    history: [{ created_by: 'test' }],
  });
  const name = `${sha256(config)}.json`;
  const manifest =
    changes.manifest ?? JSON.stringify([{ Config: name, RepoTags: ['bad:latest'], Layers: ['layer.tar'] }]);
  return tar([
    ...(changes.more ?? []),
    { name, content: config },
    { name: 'layer.tar', content: layer },
    { name: 'manifest.json', content: manifest },
  ]);
}

const layerWith = async (...entries: Entry[]): Promise<Buffer> =>
  archiveOf(await tar([{ name: 'etc/', type: 'directory' }, ...entries]));

/** @returns names, archives, and whether `docker load` may accept one if it writes nothing outside of the layer */
export async function badArchives(outside: string): Promise<{ name: string; archive: Buffer; mayLoad: boolean }[]> {
  const good = await tar([{ name: 'etc/motd', content: 'hello' }]);
  const whole = await archiveOf(good);
  const through: Entry[] = [
    { name: 'escape', type: 'symlink', linkname: outside },
    { name: 'escape/evil', content: 'evil' },
  ];
  return [
    { name: 'empty', archive: Buffer.alloc(0), mayLoad: false },
    { name: 'not a tar archive', archive: Buffer.from('this is not a tar archive'.repeat(100)), mayLoad: false },
    { name: 'truncated', archive: whole.subarray(0, 1800), mayLoad: false },
    { name: 'without manifest', archive: await tar([{ name: 'layer.tar', content: good }]), mayLoad: false },
    { name: 'manifest not JSON', archive: await archiveOf(good, { manifest: '[{' }), mayLoad: false },
    {
      name: 'manifest names a file outside',
      archive: await archiveOf(good, {
        manifest: '[{"Config":"../../../../etc/passwd","RepoTags":["bad:latest"],"Layers":[]}]',
      }),
      mayLoad: false,
    },
    { name: 'layer with another digest', archive: await archiveOf(good, { diffId: sha256('other') }), mayLoad: false },
    {
      name: 'member ../evil of the archive',
      archive: await archiveOf(good, { more: [{ name: `../../../../..${outside}/evil`, content: 'evil' }] }),
      mayLoad: true,
    },
    {
      name: 'layer with ../evil',
      archive: await layerWith({ name: `../../../../../../..${outside}/evil`, content: 'evil' }),
      mayLoad: true,
    },
    {
      name: 'layer with an absolute path',
      archive: await layerWith({ name: `${outside}/evil`, content: 'evil' }),
      mayLoad: true,
    },
    { name: 'layer that escapes through a symlink', archive: await layerWith(...through), mayLoad: true },
    {
      name: 'layer with a hard link to a file outside',
      archive: await layerWith({ name: 'shadow', type: 'link', linkname: '../../../../../../../etc/shadow' }),
      mayLoad: true,
    },
    {
      name: 'layer with a device',
      archive: await layerWith({ name: 'dev-sda', type: 'block-device', devmajor: 8, devminor: 0 }),
      mayLoad: true,
    },
  ];
}
