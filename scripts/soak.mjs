// npm run test:soak: what npm test has no time for. The suites of test/life and test/fuzz with full counts, all tests under
// sanitizers, clang-tidy, then training for `--minutes` (30), at whose end the process must be as large as before;
// `--no-suites` trains alone.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildNative, compileTypeScript, installPackages, run, runMain, StepFailed } from './steps.mjs';

await runMain(async () => {
  const { values } = parseArgs({
    options: { minutes: { type: 'string', default: '30' }, suites: { type: 'boolean', default: true } },
    allowNegative: true,
  });
  const minutes = Number(values.minutes);
  if (!(minutes > 0)) throw new StepFailed(`expected --minutes to be a positive number, received '${values.minutes}'`);
  await installPackages('[1/5] Packages');
  await buildNative('[2/5] Native code');
  await compileTypeScript('[3/5] TypeScript');
  let failed = 0;
  if (values.suites) {
    console.log('[4/5] Suites');
    const counts = { GMR_TEST_ROUNDS: 'full', GMR_FUZZ_SEED: '1000000', GMR_FUZZ_COUNT: '40000' };
    Object.assign(process.env, counts);
    const mocha = join('node_modules', 'mocha', 'bin', 'mocha.js');
    // Not the configuration of npm test, which names all suites.
    const suites = ['life', 'fuzz'].map((name) => `build-ts/test/${name}/*.test.js`);
    const args = [mocha, '--no-config', '--timeout', '600000', ...suites];
    failed = (await run(process.execPath, args, { inherit: true })).code;
    for (const name of Object.keys(counts)) delete process.env[name];
    for (const tool of [['sanitize.mjs'], ['sanitize.mjs', '--thread'], ['tidy.mjs']]) {
      console.log(`\n${tool.join(' ')}`);
      const [script, ...options] = tool;
      failed = (await run(process.execPath, [join('scripts', script), ...options], { inherit: true })).code || failed;
    }
  }
  console.log(`[5/5] Training for ${minutes} minutes`);
  const script = join('build-ts', 'test', 'life', 'children', 'soak.js');
  const { code } = await run(process.execPath, ['--expose-gc', script, String(60 * minutes)], { inherit: true });
  return failed || code;
});
