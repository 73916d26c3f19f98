import { defaultClientConditions, defineConfig } from 'vite'

export default defineConfig({
  // The library is built from its sources, so that one build serves both.
  resolve: { conditions: ['source', ...defaultClientConditions] },
  build: {
    target: 'es2023',
    // The page's content security policy knows no data: addresses and no inline script.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  worker: { format: 'es' },
})
