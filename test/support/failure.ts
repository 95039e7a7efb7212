import { expect } from 'chai';
import { GmrError, type GmrErrorCode } from '../../lib/index.js';

/** Expects `fn` to throw a GmrError with this code whose message contains `message`. */
export function expectFailure(fn: () => unknown, code: GmrErrorCode, message: string): void {
  expect(fn).to.throw(GmrError, message).with.property('code', code);
}

/** The same for a promise that should be rejected. */
export async function expectRejection(promise: Promise<unknown>, code: GmrErrorCode, message: string): Promise<void> {
  const caught: unknown = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(caught, message).to.be.instanceOf(GmrError);
  expect((caught as GmrError).message).to.include(message);
  expect((caught as GmrError).code).to.equal(code);
}

export type Row = [call: () => unknown, code: GmrErrorCode, message: string];

/** A test for each row: what is called, the code and a part of the message of its refusal. */
export function describeRows(what: string, rows: Readonly<Record<string, Row>>): void {
  describe(`bad input: ${what}`, () => {
    for (const [name, [call, code, message]] of Object.entries(rows)) {
      it(name, () => expectRejection((async () => call())(), code, message));
    }
  });
}
