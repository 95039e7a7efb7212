import * as gmr from '../../lib/index.js';
import { describeOp } from '../support/op_suite.js';
import { ringConvSuite } from '../support/reference/ring_conv.js';
import { describeUnseen } from '../support/unseen.js';

describeOp(ringConvSuite);

describeUnseen('ring_conv', {
  taps: [1, 2],
  run: (x, v, groups) => gmr.ops.ringConv(x, v, { kernelSize: [3], stride: 2, groups }),
});
