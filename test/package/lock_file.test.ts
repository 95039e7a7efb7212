// The lock files: what `npm ci` needs, on every machine, and npm's own commands leave as it is.
import { expect } from 'chai';
import { readFileSync } from 'node:fs';

interface LockFile {
  packages: Record<string, { optionalDependencies?: Record<string, string>; resolved?: string }>;
}

for (const folder of ['.', 'bench/peer', 'docs/reference']) {
  describe(`package-lock.json in ${folder}`, () => {
    const { packages } = JSON.parse(readFileSync(`${folder}/package-lock.json`, 'utf8')) as LockFile;

    // npm forgets those of other machines where it makes a lock file from an installed folder; `npm ci` refuses it then.
    it('has the binaries of all machines', () => {
      const wanted = Object.values(packages).flatMap(({ optionalDependencies = {} }) =>
        Object.keys(optionalDependencies),
      );
      const missing = wanted.filter(
        (name) => !Object.keys(packages).some((path) => path.endsWith(`node_modules/${name}`)),
      );
      expect(missing).to.deep.equal([]);
    });

    it('names no registry', () => {
      expect(Object.values(packages).flatMap(({ resolved = [] }) => resolved)).to.deep.equal([]);
    });
  });
}
