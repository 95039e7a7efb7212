// What each consumer of the packed package does: a forward and a backward pass whose values are known, then training.
import assert from 'node:assert/strict';

export async function train(gmr) {
  // A ring of ones around a centre of 10 sums 3 x 3 inputs of 1 to 18; the rings' gradients count taps.
  const x = gmr.tensor(new Float32Array(25).fill(1), [1, 1, 5, 5], { requiresGrad: true });
  const v = gmr.tensor([10, 1], [1, 1, 2], { requiresGrad: true });
  const y = gmr.ops.ringConv(x, v, { kernelSize: [3, 3], padding: 1 });
  y.backward(gmr.tensor(new Float32Array(25).fill(1), y.shape));
  assert.equal((await y.data())[12], 18);
  assert.equal((await x.grad.data())[12], 18);
  assert.deepEqual([...(await v.grad.data())], [25, 144]);

  gmr.manualSeed(1);
  const { GMRConv2d, GlobalAvgPool, Linear, ReLU, Sequential } = gmr.nn;
  const model = new Sequential(
    new GMRConv2d(1, 8, 9, { padding: 'same' }),
    new ReLU(),
    new GlobalAvgPool(),
    new Linear(8, 2),
  );
  const optimizer = new gmr.optim.SGD(model, { lr: 0.02, momentum: 0.9 });
  const images = gmr.tensor(new Float32Array(2 * 28 * 28).fill(1, 28 * 28), [2, 1, 28, 28]);
  const labels = gmr.tensor(Int32Array.of(0, 1));
  const losses = [];
  for (let step = 0; step < 20; ++step) {
    const loss = gmr.ops.crossEntropy(model.forward(images), labels);
    loss.backward();
    optimizer.step();
    optimizer.zeroGrad();
    losses.push(await loss.item());
  }
  assert.ok(losses.at(-1) < losses[0] / 2, `expected losses to fall, received ${losses.join(', ')}`);
  assert.throws(() => gmr.ops.ringConv(x, v, { kernelSize: [2, 2] }), gmr.GmrError);
  return `${String(x.device)}, loss from ${losses[0].toFixed(2)} to ${losses.at(-1).toFixed(2)}`;
}
