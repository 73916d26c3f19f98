/** The arrows of the layout: apps → browser → core parts → wire, limits, errors. No circles anywhere. */
const core = '^packages/protocol/src/(?!browser/|crypto/)'
const parts = '^packages/protocol/src/(identity|handshake|session|liveness|tasks|links|signaling)/'

module.exports = {
  forbidden: [
    { name: 'no-circles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-unresolved', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'core-knows-no-host',
      comment: 'The core runs anywhere: no browser part, no Node module, no package that brings one.',
      severity: 'error',
      from: { path: core, pathNot: '[.]test[.]ts$' },
      to: {
        path: '^packages/protocol/src/(browser|crypto)/|node_modules/(idb|@thaunknown|@noble|@hpke)',
        pathNot: '[.]d[.]ts$',
      },
    },
    {
      name: 'core-knows-no-node',
      severity: 'error',
      from: { path: core, pathNot: '[.]test[.]ts$' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'wire-stands-below',
      comment: 'Encoding knows no protocol part above it.',
      severity: 'error',
      from: { path: '^packages/protocol/src/(wire/|messages|limits|errors)' },
      to: { path: parts },
    },
    {
      name: 'parts-below-peer',
      comment: 'Parts do not know what ties them together.',
      severity: 'error',
      from: { path: parts, pathNot: '[.]test[.]ts$' },
      to: { path: '^packages/protocol/src/(peer|index)[.]ts$' },
    },
    {
      name: 'apps-use-public-entries',
      comment:
        'Apps and the tests of the whole import the library by the names its package exports; the fuzzer and the benchmark of the core feed its parts.',
      severity: 'error',
      from: { path: '^(apps|test)/', pathNot: '^test/(fuzz|bench/core)/' },
      to: {
        path: '^packages/[^/]+/src/',
        pathNot:
          '^packages/protocol/src/(((browser|crypto|signaling|conformance|testing)/)?index|browser/service-worker)[.]ts$',
      },
    },
    { name: 'library-knows-no-app', severity: 'error', from: { path: '^packages/' }, to: { path: '^(apps|test)/' } },
    {
      name: 'tests-are-not-imported',
      severity: 'error',
      from: { pathNot: '[.](test|fixture)[.]ts$|^test/' },
      to: { path: '[.](test|fixture)[.]ts$' },
    },
  ],
  options: {
    parser: 'swc',
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules|/dist/' },
    exclude: { path: '/dist/|[.]d[.]ts$' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['source', 'import', 'node', 'default'],
      extensions: ['.ts', '.js'],
    },
  },
}
