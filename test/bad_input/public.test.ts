// Every public function, with each part of a valid call replaced by each kind of garbage: a GmrError that says what is wrong, or a
// legal result.
import { expect } from 'chai';
import { setTimeout } from 'node:timers/promises';
import { errorCodes, GmrError, isPlainObject } from '../../lib/errors.js';
import * as gmr from '../../lib/index.js';
import { garbage, variants } from '../support/garbage.js';
import { expectRejection } from '../support/failure.js';
import { publicCalls } from '../support/public_calls.js';

// These say what is wrong with a file or a state dict as a whole.
const otherMessages = new Set<gmr.GmrErrorCode>(['invalid_file', 'state_dict_mismatch', 'out_of_memory']);

/** Reads or frees what a call gave. */
async function consume(result: unknown): Promise<void> {
  if (result instanceof gmr.Tensor) {
    await result.data();
    result.dispose();
  } else if (result instanceof gmr.nn.Module) {
    result.dispose();
  } else if (
    typeof result === 'object' &&
    result !== null &&
    Symbol.iterator in result &&
    !ArrayBuffer.isView(result)
  ) {
    for (const item of result as Iterable<unknown>) if (item instanceof gmr.Tensor) await consume(item);
  }
}

/** What is wrong with the outcome of a call; undefined when nothing is. */
async function fault(call: () => unknown): Promise<string | undefined> {
  const hang = new AbortController();
  try {
    const outcome = (async () => consume(await call()))();
    const isHanging = await Promise.race([
      outcome.then(() => false),
      setTimeout(20_000, true, { signal: hang.signal, ref: false }),
    ]);
    return isHanging ? 'does not end' : undefined;
  } catch (error) {
    if (!(error instanceof GmrError)) return `throws ${(error as Error).stack ?? String(error)}`;
    if (!errorCodes.includes(error.code)) return `has the code ${error.code}`;
    const isClear =
      otherMessages.has(error.code) || /^(in \S+: )?\[[^\]]+\] expected .+ to .+, received ./s.test(error.message);
    return isClear ? undefined : `says ${error.message}`;
  } finally {
    hang.abort();
  }
}

/** The names of what users can call or set, by walking over what the package exports. */
function publicNames(exports: object, prefix = ''): string[] {
  return Object.entries(exports).flatMap(([key, value]: [string, unknown]) => {
    const name = `${prefix}${key}`;
    if (typeof value !== 'function') return publicNames(value as object, `${name}.`);
    const prototype = value.prototype as object | undefined;
    if (prototype === undefined || !/^class\b/.test(Function.prototype.toString.call(value))) return [name];
    const members = Object.entries(Object.getOwnPropertyDescriptors(prototype)).flatMap(([member, descriptor]) => {
      const isCallable = typeof descriptor.value === 'function' || descriptor.set !== undefined;
      return isCallable && !notPublic.has(member) ? [`${name}.${member}`] : [];
    });
    const isLayer = prototype instanceof gmr.nn.Module;
    return [...(notConstructed.has(name) ? [] : [name]), ...members, ...(isLayer ? [`${name}.forward`] : [])];
  });
}

// Protected, private or internal in TypeScript, or another's override.
const notPublic = new Set([
  'compute',
  'constructor',
  'convolve',
  'derivedState',
  'expectLive',
  'freeVelocities',
  'keys',
  'live',
  'madeWith',
  'namedChildren',
  'normalise',
  'slots',
  'within',
]);

// `tensor` and `device` make them.
const notConstructed = new Set(['Tensor', 'Device']);

// What comes last there is no object of options: names are the caller's own, or all that is read must be there.
const takesNoOptions = new Set(['nn.Sequential', 'io.writeSafetensors', 'optim.SGD.loadStateDict']);

describe('bad input: every public function', () => {
  it('has a row in test/support/public_calls.ts, and no row is left over', () => {
    const rows = new Set(Object.keys(publicCalls).map((name) => name.replace(/ \(.*/, '')));
    rows.delete('nn.Module.namedChildren');
    expect([...rows].toSorted()).to.deep.equal(publicNames(gmr).toSorted());
  });

  for (const [name, { args, call }] of Object.entries(publicCalls)) {
    it(name, async function () {
      this.timeout(120_000);
      expect(await fault(() => call(...args())), 'the valid call').to.equal(undefined);
      const faults: string[] = [];
      const check = async (what: string, given: unknown[]): Promise<void> => {
        const found = await fault(() => call(...given));
        if (found !== undefined) faults.push(`${what}: ${found}`);
      };
      for (let count = 0; count < args().length; ++count) await check(`${count} arguments`, args().slice(0, count));
      for (let position = 0; position < args().length; ++position) {
        for (const [what, value] of variants(args()[position], garbage, `argument ${position}`)) {
          await check(what, args().with(position, value));
        }
      }
      expect(faults).to.deep.equal([]);
    });
  }
});

describe('bad input: an option that there is not', () => {
  for (const [name, { args, call }] of Object.entries(publicCalls)) {
    const options = args().at(-1);
    if (!isPlainObject(options) || takesNoOptions.has(name)) continue;
    it(`is refused by ${name}`, async () => {
      const given = [...args().slice(0, -1), { ...options, noSuchOption: 1 }];
      await expectRejection((async () => consume(await call(...given)))(), 'invalid_argument', '"noSuchOption"');
    });
  }
});
