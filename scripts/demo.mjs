// npm run demo: brings everything into place that the MNIST demo needs, then runs it with the arguments given.
import { join } from 'node:path';
import { buildNative, compileTypeScript, installPackages, run, runMain } from './steps.mjs';

await runMain(async () => {
  await installPackages('[1/4] Packages');
  await buildNative('[2/4] Native code');
  await compileTypeScript('[3/4] TypeScript');
  console.log('[4/4] Demo\n');
  const script = join('build-ts', 'examples', 'mnist', 'main.js');
  const { code } = await run(process.execPath, ['--enable-source-maps', script, ...process.argv.slice(2)], {
    inherit: true,
  });
  return code;
});
