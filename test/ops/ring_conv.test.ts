import { describeOp } from '../support/op_suite.js';
import { ringConvSuite } from '../support/reference/ring_conv.js';

describeOp(ringConvSuite);
