import { describeOp } from '../support/op_suite.js';
import { castSuite } from '../support/reference/cast.js';

describeOp(castSuite);
