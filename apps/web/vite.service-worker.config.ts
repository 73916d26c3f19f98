import { defaultClientConditions, defineConfig } from 'vite'

/** The service worker: one file of its own, at the top of what is served, since pages of its folder are those it is for. */
export default defineConfig({
  resolve: { conditions: ['source', ...defaultClientConditions] },
  publicDir: false,
  build: {
    target: 'es2023',
    emptyOutDir: false,
    lib: {
      entry: 'src/service-worker.ts',
      formats: ['iife'],
      name: 'serviceWorker',
      fileName: () => 'service-worker.js',
    },
  },
})
