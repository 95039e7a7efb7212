import { describeOp } from '../support/op_suite.js';
import { convSuite } from '../support/reference/conv.js';

describeOp(convSuite);
