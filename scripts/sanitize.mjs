// npm run test:sanitize: the tests, with native code built under AddressSanitizer and UndefinedBehaviorSanitizer.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { compileTypeScript, installPackages, root, run, runMain, step, StepFailed } from './steps.mjs';

const home = join(root, 'build-sanitize'); // node-gyp-build looks for build/Release below it

/** Node itself is not instrumented, so the sanitizer's runtime has to be there before it starts. */
function runtimeLibrary() {
  const { stdout } = spawnSync('g++', ['-print-file-name=libasan.so'], { encoding: 'utf8' });
  const path = stdout?.trim() ?? '';
  if (!path.startsWith('/')) throw new StepFailed('Expected g++ with its AddressSanitizer library (libasan.so).');
  return path;
}

await runMain(async () => {
  await installPackages('[1/4] Packages');
  await step('[2/4] Native code with sanitizers', join('node_modules', '.bin', 'cmake-js'), [
    'compile',
    '--parallel',
    '2',
    '--out',
    join(home, 'build'),
    '--CDGMR_SANITIZE=address,undefined',
    '--CDGMR_BENCH=OFF',
    '--CDGMR_CUDA=OFF', // the interpreter has checks of its own
  ]);
  await compileTypeScript('[3/4] TypeScript');
  console.log('[4/4] Tests');
  // Leaks are not looked for: Node ends without freeing what it holds. The tests count live buffers themselves.
  // An allocation beyond the machine must return null here as it does without the sanitizer.
  Object.assign(process.env, {
    GMR_CONV_PREBUILD: home,
    LD_PRELOAD: runtimeLibrary(),
    ASAN_OPTIONS: 'detect_leaks=0:allocator_may_return_null=1',
    UBSAN_OPTIONS: 'print_stacktrace=1',
  });
  const mocha = join('node_modules', 'mocha', 'bin', 'mocha.js');
  // These hold the process to what it needs without a sanitizer's own memory.
  const ignored = ['garbage', 'soak'].flatMap((name) => ['--ignore', `build-ts/test/life/${name}.test.js`]);
  const { code } = await run(process.execPath, [mocha, '--timeout', '600000', ...ignored, ...process.argv.slice(2)], {
    inherit: true,
  });
  return code;
});
