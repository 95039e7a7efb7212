import { expect } from 'chai';
import * as gmr from '../../lib/index.js';

/** Expects a call to throw a GmrError whose message contains `message`. */
export function expectRefusal(call: () => unknown, message: string, code: gmr.GmrErrorCode = 'invalid_argument'): void {
  expect(call).to.throw(gmr.GmrError, message).with.property('code', code);
}
