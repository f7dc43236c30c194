/**
 * The engine's ports: a runtime (containerd), image content and file systems, a registry, stores. The packages
 * `runtime` and `store` implement them; tests may pass recording fakes.
 */
export * from './ports/builder.ts';
export * from './ports/images.ts';
export * from './ports/root-filesystems.ts';
export * from './ports/runtime.ts';
export * from './ports/stores.ts';
