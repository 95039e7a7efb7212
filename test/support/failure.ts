import { expect } from 'chai';
import { GmrError, type GmrErrorCode } from '../../lib/index.js';

/** Expects `fn` to throw a GmrError with this code whose message begins with `message`. */
export function expectFailure(fn: () => unknown, code: GmrErrorCode, message: string): void {
  let caught: unknown;
  try {
    fn();
  } catch (error) {
    caught = error;
  }
  expect(caught, message).to.be.instanceOf(GmrError);
  const { message: received, code: receivedCode } = caught as GmrError;
  expect(received.slice(0, message.length)).to.equal(message);
  expect(receivedCode, received).to.equal(code);
}

/** The same for a promise that should be rejected; `message` is contained somewhere. */
export async function expectRejection(promise: Promise<unknown>, code: GmrErrorCode, message: string): Promise<void> {
  const caught: unknown = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(caught, message).to.be.instanceOf(GmrError);
  expect((caught as GmrError).message).to.include(message);
  expect((caught as GmrError).code).to.equal(code);
}
