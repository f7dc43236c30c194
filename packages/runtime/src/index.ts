export {
  type ContainerdClient,
  type ContainerdConnection,
  connectContainerd,
  containerdError,
  isAlreadyExists,
  isNotFound,
  isUnavailable,
} from './containerd/client.ts';
