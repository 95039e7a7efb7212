import { expect } from 'chai';
import * as gmr from '../../lib/index.js';
import { devices, nameOf } from '../support/devices.js';
import { normal, uniform } from '../support/ndarray.js';
import { describeOp } from '../support/op_suite.js';
import { rotateSuite } from '../support/reference/rotate.js';
import { expectFailure } from '../support/failure.js';

describeOp(rotateSuite);

const { rotate } = gmr.ops;

describe('rotate: direction', () => {
  const image = [
    [
      [
        [1, 2, 3],
        [4, 5, 6],
        [7, 8, 9],
      ],
    ],
  ];
  const counterClockwise = [3, 6, 9, 2, 5, 8, 1, 4, 7];

  for (const device of devices) {
    it(`turns counter-clockwise, rows down and columns to the right (${nameOf(device)})`, async () => {
      const x = gmr.tensor(image, undefined, { device });
      expect([...(await rotate(x, 90).data())]).to.deep.equal(counterClockwise);
      expect([...(await rotate(x, -270).data())]).to.deep.equal(counterClockwise);
      expect([...(await rotate(x, -90, { plane: [-1, -2] }).data())]).to.deep.equal(counterClockwise);
      expect([...(await rotate(x, 180).data())]).to.deep.equal([9, 8, 7, 6, 5, 4, 3, 2, 1]);
    });

    it(`mirrors before it turns (${nameOf(device)})`, async () => {
      const x = gmr.tensor(image, undefined, { device });
      expect([...(await rotate(x, 0, { flip: -1 }).data())]).to.deep.equal([3, 2, 1, 6, 5, 4, 9, 8, 7]);
      expect([...(await rotate(x, 0, { flip: 2 }).data())]).to.deep.equal([7, 8, 9, 4, 5, 6, 1, 2, 3]);
      expect([...(await rotate(x, 90, { flip: -1 }).data())]).to.deep.equal([1, 4, 7, 2, 5, 8, 3, 6, 9]);
    });
  }
});

describe('rotate: algebra', () => {
  const values = Float32Array.from(normal([2, 3, 4, 4, 4], uniform(5)).data);
  values.set([NaN, -0, Infinity, -Infinity]);

  for (const device of devices) {
    it(`comes back to the bit after four quarter turns, in every plane (${nameOf(device)})`, async () => {
      const x = gmr.tensor(values, [2, 3, 4, 4, 4], { device });
      for (const plane of [
        [2, 3],
        [2, 4],
        [3, 4],
        [4, 2],
      ] as [number, number][]) {
        let y = x;
        for (let turn = 0; turn < 4; ++turn) y = rotate(y, 90, { plane });
        expect(await y.data()).to.deep.equal(values);
        expect(await rotate(x, 360, { plane }).data()).to.deep.equal(values);
      }
    });

    it(`has mirrors that undo themselves and reverse turns, to the bit (${nameOf(device)})`, async () => {
      const x = gmr.tensor(values, [2, 3, 4, 4, 4], { device });
      for (const flip of [2, 3, 4]) {
        expect(await rotate(rotate(x, 0, { flip }), 0, { flip }).data()).to.deep.equal(values);
      }
      for (const flip of [3, 4]) {
        const mirrored = rotate(rotate(x, 90), 0, { flip });
        expect(await mirrored.data()).to.deep.equal(await rotate(x, -90, { flip }).data());
      }
      const across = rotate(rotate(x, 90), 0, { flip: 2 });
      expect(await across.data()).to.deep.equal(await rotate(x, 90, { flip: 2 }).data());
    });

    it(`keeps values outside the sample out of it (${nameOf(device)})`, async () => {
      const x = gmr.tensor(
        [
          [
            [
              [1, 2, 3],
              [NaN, 5, 6],
              [7, 8, Infinity],
            ],
          ],
        ],
        undefined,
        { device },
      );
      const y = await rotate(x, 1e-3).data();
      expect(y[4]).to.equal(5);
      expect(y[2]).to.be.closeTo(3, 1e-3);
    });
  }
});

describe('rotate: bad input', () => {
  const x = gmr.tensor(new Float32Array(9), [1, 1, 3, 3]);

  it('names the argument', () => {
    expectFailure(() => rotate(1 as never, 90), 'invalid_argument', '[rotate] expected x to be a Tensor');
    expectFailure(() => rotate(gmr.tensor([[[1]]]), 90), 'invalid_shape', 'expected x to have 4 to 5 axes');
    expectFailure(() => rotate(x, NaN), 'invalid_argument', 'expected degrees to be a finite number, received NaN');
    expectFailure(
      () => rotate(x, 90, { plane: [2] as never }),
      'invalid_argument',
      'expected plane to be two spatial axes, received [2]',
    );
    expectFailure(
      () => rotate(x, 90, { plane: [1, 2] }),
      'invalid_argument',
      'expected plane[0] to be a spatial axis of a tensor of 4 axes, received 1',
    );
    expectFailure(
      () => rotate(x, 90, { plane: [2, 4] }),
      'invalid_argument',
      'expected plane[1] to be an integer in [-4, 3], received 4',
    );
    expectFailure(
      () => rotate(x, 90, { plane: [-1, 3] }),
      'invalid_argument',
      'expected plane to be two different axes, received [-1, 3]',
    );
    expectFailure(
      () => rotate(x, 90, { flip: -3 }),
      'invalid_argument',
      'expected flip to be a spatial axis of a tensor of 4 axes, received -3',
    );
  });
});
