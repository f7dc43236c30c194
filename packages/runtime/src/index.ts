export { type BuilderOptions, openBuilder } from './build/buildah.ts';
export {
  type ContainerdClient,
  type ContainerdConnection,
  connectContainerd,
  containerdError,
  isAlreadyExists,
  isNotFound,
  isUnavailable,
} from './containerd/client.ts';
export { type ContainerdSupervisor, type SupervisorOptions, superviseContainerd } from './containerd/supervisor.ts';
export { type ImageContentOptions, openImageContent } from './images/content.ts';
export { openRegistry, type RegistryLogin, type RegistryOptions } from './images/registry/registry.ts';
export { openRootFilesystems, type RootFilesystemsOptions } from './images/rootfs.ts';
export { isIdle, type OwnFolders, openRuntime, type RuntimeOptions } from './tasks/runtime.ts';
