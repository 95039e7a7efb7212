// npm run docs: the API reference, out of the docstrings, into build-docs/. typedoc and a TypeScript that it can use are
// in docs/reference, apart from the package, and are installed at first use.
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { installPackages, root, runMain, step } from './steps.mjs';

const reference = join('docs', 'reference');
const typedoc = join(reference, 'node_modules', 'typedoc', 'bin', 'typedoc');

await runMain(async () => {
  await installPackages('[1/3] Packages');
  if (existsSync(join(root, typedoc))) {
    console.log('[2/3] typedoc  installed');
  } else {
    const install = ['ci', '--prefix', reference, '--ignore-scripts', '--no-audit', '--no-fund'];
    await step('[2/3] typedoc (npm ci)', 'npm', install, 'It needs the npm registry.');
  }
  rmSync(join(root, 'build-docs'), { recursive: true, force: true });
  await step('[3/3] Reference', process.execPath, [typedoc, '--options', join(reference, 'typedoc.json')]);
  console.log(`Open ${join('build-docs', 'index.html')}`);
  return 0;
});
