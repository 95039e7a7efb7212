// npm test: everything that must hold before a change lands, from nothing. Arguments go to mocha (`npm test -- --grep ring_conv`).
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { buildNative, compileTypeScript, installPackages, root, run, runMain, step } from './steps.mjs';

const bin = (name) => join('node_modules', '.bin', name);

const nativeSources = ['native', join('bench', 'native')].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true })
    .filter((name) => /\.(cc|h|cu|cuh)$/.test(name))
    .map((name) => join(folder, name)),
);

await runMain(async () => {
  await installPackages('[1/6] Packages');
  await step('[2/6] Format', bin('prettier'), ['--check', '.'], '`npm run format` mends it.');
  await step(
    '[2/6] Format of native code',
    bin('clang-format'),
    ['--dry-run', '-Werror', ...nativeSources],
    '`npm run format` mends it.',
  );
  await step('[3/6] Lint', bin('oxlint'), ['--type-aware', '--deny-warnings']);
  await buildNative('[4/6] Native code', ['GMR_WERROR=ON']);
  await compileTypeScript('[5/6] TypeScript');
  console.log('[6/6] Tests');
  const { code } = await run(bin('mocha'), process.argv.slice(2), { inherit: true });
  return code;
});
