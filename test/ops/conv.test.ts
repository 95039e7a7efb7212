import * as gmr from '../../lib/index.js';
import { describeOp } from '../support/op_suite.js';
import { convSuite } from '../support/reference/conv.js';
import { describeUnseen } from '../support/unseen.js';

describeOp(convSuite);

describeUnseen('conv', { taps: [1, 1, 1], run: (x, w, groups) => gmr.ops.conv(x, w, { stride: 2, groups }) });
