// Reads of an ELF file what it will ask of a machine: the System V gABI, and "Symbol Versioning" of the Linux Standard
// Base. 64-bit, little-endian: x86-64 and aarch64.
import { readFileSync } from 'node:fs';

const sectionTypes = { strings: 3, dynamic: 6, symbols: 11, needs: 0x6ffffffe, versions: 0x6fffffff };
const neededTag = 1;
const machines = new Map([
  [62, 'x64'],
  [183, 'arm64'],
]);

function readSections(file) {
  const start = Number(file.readBigUInt64LE(0x28));
  const size = file.readUInt16LE(0x3a);
  return Array.from({ length: file.readUInt16LE(0x3c) }, (_, i) => {
    const at = start + i * size;
    const offset = Number(file.readBigUInt64LE(at + 0x18));
    return {
      type: file.readUInt32LE(at + 4),
      bytes: () => file.subarray(offset, offset + Number(file.readBigUInt64LE(at + 0x20))),
      link: file.readUInt32LE(at + 0x28),
      count: file.readUInt32LE(at + 0x2c),
    };
  });
}

function text(strings, offset) {
  return strings.toString('latin1', offset, strings.indexOf(0, offset));
}

/** The versions that a file needs, by the number that its symbols know them by. */
function readNeeds(section, strings) {
  const versions = new Map();
  const bytes = section.bytes();
  for (let at = 0, i = 0; i < section.count; ++i) {
    const library = text(strings, bytes.readUInt32LE(at + 4));
    let aux = at + bytes.readUInt32LE(at + 8);
    for (let j = 0; j < bytes.readUInt16LE(at + 2); ++j) {
      versions.set(bytes.readUInt16LE(aux + 6), { library, version: text(strings, bytes.readUInt32LE(aux + 8)) });
      aux += bytes.readUInt32LE(aux + 12);
    }
    at += bytes.readUInt32LE(at + 12);
  }
  return versions;
}

function parse(file) {
  if (file.toString('latin1', 0, 6) !== '\x7fELF\x02\x01') throw new Error('another magic number');
  const sections = readSections(file);
  const find = (type) => sections.find((section) => section.type === type);
  const dynamic = find(sectionTypes.dynamic);
  const dynamicBytes = dynamic.bytes();
  const strings = sections[dynamic.link].bytes();
  const libraries = [];
  for (let at = 0; at < dynamicBytes.length; at += 16) {
    if (Number(dynamicBytes.readBigUInt64LE(at)) === neededTag) {
      libraries.push(text(strings, Number(dynamicBytes.readBigUInt64LE(at + 8))));
    }
  }
  const symbols = [];
  const needs = find(sectionTypes.needs);
  if (needs !== undefined) {
    const versions = readNeeds(needs, strings);
    const symbolBytes = find(sectionTypes.symbols).bytes();
    const versionBytes = find(sectionTypes.versions).bytes();
    for (let i = 0; i < versionBytes.length / 2; ++i) {
      const needed = versions.get(versionBytes.readUInt16LE(2 * i) & 0x7fff);
      if (needed !== undefined) symbols.push({ name: text(strings, symbolBytes.readUInt32LE(24 * i)), ...needed });
    }
  }
  return { arch: machines.get(file.readUInt16LE(0x12)), libraries, symbols };
}

/**
 * The architecture of a file, the libraries that it needs, and the versioned symbols that it takes from them:
 * `{ arch: 'x64', libraries: ['libc.so.6'], symbols: [{ name: 'dlopen', library: 'libdl.so.2', version: 'GLIBC_2.2.5' }] }`.
 */
export function readElf(path) {
  const file = readFileSync(path);
  try {
    return parse(file);
  } catch (cause) {
    throw new Error(`${path}: expected a 64-bit ELF file that is linked dynamically`, { cause });
  }
}
