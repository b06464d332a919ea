// Bundles each peer into one minified file, as is usual for Lambda. Native
// modules cannot be bundled and stay next to it.
const { buildSync } = require('esbuild');

buildSync({
  entryPoints: ['get-product', 'log-in-argon2', 'log-in-bcrypt', 'express'].map((name) => `src/${name}.js`),
  outdir: 'dist',
  bundle: true,
  minify: true,
  platform: 'node',
  target: 'node20',
  external: ['argon2', 'bcrypt'],
  logLevel: 'warning',
});
