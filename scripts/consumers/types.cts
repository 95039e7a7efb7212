import gmr = require('gmr-conv');

const x: gmr.Tensor = gmr.tensor([[1, 2]]);
const model: gmr.nn.Sequential = new gmr.nn.Sequential(new gmr.nn.Linear(2, 3), new gmr.nn.ReLU());
export const loss: gmr.Tensor = gmr.ops.crossEntropy(model.forward(x), gmr.tensor(Int32Array.of(0)));
// @ts-expect-error: an option that there is not
gmr.tensor([1], undefined, { grad: true });
