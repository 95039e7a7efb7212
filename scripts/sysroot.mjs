// The C and C++ libraries that released binaries are compiled and linked against: Debian 11's, old enough that what is
// built runs wherever Node 20 does. Unpacked from Debian's packages, without installing anything or being root.
import {
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  existsSync,
} from 'node:fs';
import { spawnSync } from 'node:child_process';
import { dirname, join, relative } from 'node:path';
import { StepFailed } from './steps.mjs';

const release = 'bullseye';
const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
const packages = ['libc6', 'libc6-dev', 'libgcc-s1', 'libstdc++-10-dev', 'libstdc++6', 'linux-libc-dev'];

function output(command, args, cwd) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (error !== undefined || status !== 0) {
    throw new StepFailed(
      `The sysroot needs Debian's apt-get and dpkg-deb, and a mirror that has ${release} (GMR_DEBIAN_MIRROR names one).\n` +
        `\`${command} ${args.at(-1)}\` said: ${error?.message ?? stderr}`,
    );
  }
  return stdout;
}

/** The mirror that this machine takes its own packages from. */
function mirror() {
  if (process.env.GMR_DEBIAN_MIRROR) return process.env.GMR_DEBIAN_MIRROR;
  const targets = output('apt-get', [
    'indextargets',
    '--format',
    '$(ORIGIN) $(LABEL) $(REPO_URI)',
    'Created-By: Packages',
  ]);
  const own = targets.split('\n').find((line) => line.startsWith('Debian Debian '));
  if (own === undefined) throw new StepFailed('Expected GMR_DEBIAN_MIRROR to name a Debian mirror.');
  return own.slice('Debian Debian '.length);
}

/** Links to absolute paths would lead out of the sysroot. */
function makeLinksRelative(sysroot) {
  for (const entry of readdirSync(sysroot, { recursive: true, withFileTypes: true })) {
    if (!entry.isSymbolicLink()) continue;
    const path = join(entry.parentPath, entry.name);
    const target = readlinkSync(path);
    if (!target.startsWith('/')) continue;
    rmSync(path);
    symlinkSync(relative(dirname(path), join(sysroot, target)), path);
  }
}

/**
 * What -lstdc++ finds. Debian keeps its link beside GCC 10's libgcc.a, which must not be found: __builtin_cpu_supports of
 * a newer compiler needs its own.
 */
function linkStandardLibrary(sysroot) {
  const folder = join(sysroot, 'usr', 'lib');
  for (const triple of readdirSync(folder).filter((name) => name.endsWith('-linux-gnu'))) {
    symlinkSync('libstdc++.so.6', join(folder, triple, 'libstdc++.so'));
  }
}

/** Makes the sysroot of a Debian architecture (`amd64`, `arm64`) in a folder, unless it is there. */
export function makeSysroot(folder, architecture) {
  if (existsSync(folder)) return;
  const work = `${folder}.unfinished`;
  rmSync(work, { recursive: true, force: true });
  for (const name of ['lists/partial', 'cache/archives/partial', 'root'])
    mkdirSync(join(work, name), { recursive: true });
  writeFileSync(join(work, 'sources.list'), `deb [signed-by=${keyring}] ${mirror()} ${release} main\n`);
  writeFileSync(join(work, 'status'), ''); // as if nothing were installed
  const options = [
    ['Dir::Etc::SourceList', join(work, 'sources.list')],
    ['Dir::Etc::SourceParts', '/dev/null'],
    ['Dir::State::Lists', join(work, 'lists')],
    ['Dir::State::Status', join(work, 'status')],
    ['Dir::Cache', join(work, 'cache')],
    ['APT::Architecture', architecture],
    ['APT::Architectures', architecture],
    ['APT::Sandbox::User', ''], // the user of apt cannot write here
  ].flatMap(([key, value]) => ['-o', `${key}=${value}`]);
  output('apt-get', [...options, 'update']);
  output('apt-get', [...options, 'download', ...packages], work);
  for (const name of readdirSync(work).filter((file) => file.endsWith('.deb'))) {
    output('dpkg-deb', ['-x', join(work, name), join(work, 'root')]);
  }
  makeLinksRelative(join(work, 'root'));
  linkStandardLibrary(join(work, 'root'));
  renameSync(join(work, 'root'), folder);
  rmSync(work, { recursive: true });
}
