/** Builds the bundle of the topology page into `dist/`, for `script/build-page`. */
import { defineConfig } from 'vite';

export default defineConfig({
  root: import.meta.dirname,
  build: {
    ...{ target: 'es2022', outDir: 'dist', emptyOutDir: true, assetsInlineLimit: 0, modulePreload: false },
    rolldownOptions: {
      onwarn(warning, warn) {
        // `use client` at the top of a dependency's modules, which only servers of React read.
        if (warning.code !== 'MODULE_LEVEL_DIRECTIVE') warn(warning);
      },
    },
  },
  oxc: { jsx: { runtime: 'automatic' } },
  logLevel: 'warn',
});
