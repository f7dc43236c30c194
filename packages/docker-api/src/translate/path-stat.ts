/** Encodes the header X-Docker-Container-Path-Stat. Pure. */
import type { ContainerPathStat } from '@netyard/api-types';
import { formatTime } from '@netyard/core';
import type { PathStat } from '@netyard/engine';

export function encodePathStat(stat: PathStat): string {
  const value: ContainerPathStat = {
    name: stat.name,
    size: stat.size,
    mode: stat.mode,
    mtime: formatTime(stat.modified),
    linkTarget: stat.linkTarget,
  };
  return Buffer.from(JSON.stringify(value)).toString('base64');
}
