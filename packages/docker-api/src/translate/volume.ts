/** Translates volumes into Docker's JSON. Pure. */
import type { Volume } from '@netyard/api-types';
import { formatTime } from '@netyard/core';
import type { VolumeRecord } from '@netyard/engine';

export function translateVolume(record: VolumeRecord): Volume {
  return {
    // Docker shows whole seconds here.
    CreatedAt: formatTime(record.created).replace(/\.\d+Z$/, 'Z'),
    Driver: record.driver,
    Labels: Object.keys(record.labels).length > 0 ? record.labels : record.anonymous ? anonymousLabel : null,
    Mountpoint: record.mountpoint,
    Name: record.name,
    Options: Object.keys(record.options).length > 0 ? record.options : null,
    Scope: 'local',
  };
}

const anonymousLabel = { 'com.docker.volume.anonymous': '' };
