/** File systems mounted in memory, as a restarted daemon finds them. */
import type { MountCall } from '@netyard/kernel';
import type { FileSystemMounts } from '../../src/volumes/volume-mounts.ts';

export class FakeMounts implements FileSystemMounts {
  readonly mounted = new Map<string, MountCall>();
  /** Thrown by the next mount, and by each unmount. */
  mountFailure: Error | undefined;
  unmountFailure: Error | undefined;

  async mountFileSystem(target: string, call: MountCall): Promise<void> {
    if (this.mountFailure) throw this.mountFailure;
    this.mounted.set(target, call);
  }

  async unmountFileSystem(target: string): Promise<void> {
    if (this.unmountFailure) throw this.unmountFailure;
    this.mounted.delete(target);
  }

  mountPoints(): string[] {
    return ['/', ...this.mounted.keys()];
  }
}
