// What released binaries may ask of a machine: the C library that Node 20's own binaries need, 2.28, and the C++ library
// of that age, GCC 8's. `node scripts/symbol_floor.mjs FILE...` says what asks for more.
import { basename } from 'node:path';
import { readElf } from './elf.mjs';

const floor = { GLIBC: '2.28', GLIBCXX: '3.4.25', CXXABI: '1.3.11', GCC: '8.0.0' };
// Those of C and C++; librt, libdl and libpthread are parts of the C library.
const libraries = /^(lib(c|m|dl|rt|pthread|stdc\+\+|gcc_s)\.so\.\d|ld-linux-[\w-]+\.so\.\d)$/;

function isNewer(version, than) {
  const [a, b] = [version, than].map((text) => text.split('.').map(Number));
  const i = a.findIndex((part, place) => part !== (b[place] ?? 0));
  return i >= 0 && a[i] > (b[i] ?? 0);
}

/** What a symbol may have at most, where it has something else; undefined where it has that or less. */
function expectation({ version }) {
  const [, family, number] = /^([A-Z]+)_([\d.]+)$/.exec(version) ?? [];
  if (floor[family] === undefined) return `a numbered version of ${Object.keys(floor).join(', ')}`;
  return isNewer(number, floor[family]) ? `at most ${family}_${floor[family]}` : undefined;
}

/** What of a file's needs, as readElf gives them, is above the floor: one line each. */
export function aboveFloor(name, { libraries: needed, symbols }) {
  const foreign = needed.filter((library) => !libraries.test(library));
  return [
    ...foreign.map((library) => `${name}: expected no library beside those of C and C++, needs ${library}`),
    ...symbols.flatMap((symbol) => {
      const expected = expectation(symbol);
      return expected === undefined
        ? []
        : [`${name}: expected ${expected}, needs ${symbol.version} for ${symbol.name}`];
    }),
  ];
}

export function checkFloor(files) {
  return files.flatMap((file) => aboveFloor(basename(file), readElf(file)));
}

if (process.argv[1] === import.meta.filename) {
  const files = process.argv.slice(2);
  try {
    if (files.length === 0) throw new Error('Usage: node scripts/symbol_floor.mjs FILE...');
    const problems = checkFloor(files);
    for (const problem of problems) console.log(problem);
    process.exitCode = problems.length === 0 ? 0 : 1;
  } catch (error) {
    console.error(error.message);
    process.exitCode = 2;
  }
}
