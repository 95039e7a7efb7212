// npm run test:sanitize: the tests, with native code built under AddressSanitizer and UndefinedBehaviorSanitizer.
// npm run test:sanitize -- --thread [rounds]: gmr_stress under ThreadSanitizer, without Node, whose own locks it would not
// see; 500 rounds unless told, a tenth of them on the interpreter.
// Code of the CUDA backend that runs on the host is among both, on the interpreter, where there is an nvcc.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { compileTypeScript, installPackages, root, run, runMain, step, StepFailed, tellCudaBackend } from './steps.mjs';

const home = join(root, 'build-sanitize'); // node-gyp-build looks for build/Release below it
// PTX of the GPU that the interpreter plays unless it is told otherwise.
const oneGpu = ['GMR_CUDA_ARCHITECTURES=80-virtual', 'GMR_CUDA_SIM_ARCHITECTURES=80-virtual'];

/** Node itself is not instrumented, so the sanitizer's runtime has to be there before it starts. */
function runtimeLibrary() {
  const { stdout } = spawnSync('g++', ['-print-file-name=libasan.so'], { encoding: 'utf8' });
  const path = stdout?.trim() ?? '';
  if (!path.startsWith('/')) throw new StepFailed('Expected g++ with its AddressSanitizer library (libasan.so).');
  return path;
}

async function testAddresses(args) {
  await installPackages('[1/4] Packages');
  const output = await step('[2/4] Native code with sanitizers', join('node_modules', '.bin', 'cmake-js'), [
    'compile',
    '--parallel',
    '2',
    '--out',
    join(home, 'build'),
    '--CDGMR_SANITIZE=address,undefined',
    '--CDGMR_BENCH=OFF',
    '--CDGMR_STRESS=OFF',
    ...oneGpu.map((option) => `--CD${option}`),
  ]);
  tellCudaBackend(output);
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
  // These hold the process to what it needs without a sanitizer's own memory, or are about other builds of the kernels.
  const others = ['life/garbage', 'life/soak', 'cuda/architectures', 'cuda/budget', 'cuda/model', 'gpu_script'];
  const ignored = others.flatMap((name) => ['--ignore', `build-ts/test/${name}.test.js`]);
  const { code } = await run(process.execPath, [mocha, '--timeout', '600000', ...ignored, ...args], {
    inherit: true,
  });
  return code;
}

async function testThreads([given = '500']) {
  const rounds = Number(given);
  if (!(Number.isSafeInteger(rounds) && rounds > 0)) {
    throw new StepFailed(`Expected rounds to be an integer above 0, received ${given}.`, 2);
  }
  const folder = join(home, 'thread');
  const options = ['GMR_ADDON=OFF', 'GMR_BENCH=OFF', 'GMR_STRESS=ON', 'GMR_SANITIZE=thread', ...oneGpu];
  const defines = [...options, 'CMAKE_BUILD_TYPE=RelWithDebInfo'].map((option) => `-D${option}`);
  tellCudaBackend(await step('[1/3] Configuration', 'cmake', ['-S', '.', '-B', folder, ...defines]));
  const target = ['--target', 'gmr_stress_with_backends', '--parallel', '2'];
  await step('[2/3] Native code with ThreadSanitizer', 'cmake', ['--build', folder, ...target]);
  console.log('[3/3] Stress');
  const built = join(folder, 'Release');
  let failed = 0;
  for (const library of readdirSync(built).filter((name) => /^libgmr_(cpu\w+|cuda_sim)\.so$/.test(name))) {
    // The interpreter takes far longer for a kernel; it is the calls around that are of interest.
    const count = library === 'libgmr_cuda_sim.so' ? Math.ceil(rounds / 10) : rounds;
    console.log(`${library}, ${count} rounds`);
    const { code } = await run(join(built, 'gmr_stress'), [join(built, library), `${count}`], { inherit: true });
    failed ||= code;
  }
  return failed;
}

await runMain(() => {
  const args = process.argv.slice(2);
  return args[0] === '--thread' ? testThreads(args.slice(1)) : testAddresses(args);
});
