import { expect } from 'chai';
import { loadDigits } from '../../examples/mnist/data.js';
import { learnedKernels, medianRows, profileStep } from '../../examples/mnist/exhibits.js';
import { gmrNetwork, gmrStages } from '../../examples/mnist/networks.js';
import { quickSettings } from '../../examples/mnist/settings.js';
import * as gmr from '../../lib/index.js';

describe('examples/mnist exhibits', () => {
  it('take the median of each pass, in whatever order a run has them', () => {
    const run = (a: number, b: number): gmr.ProfileRow[] => [
      { label: 'a', pass: 'add_forward', count: 2, ms: a },
      { label: 'b', pass: 'add_forward', count: 1, ms: b },
    ];
    const rows = medianRows([run(10, 3), run(9, 1).toReversed(), run(200, 2)]);
    expect(rows).to.deep.equal(run(10, 2));
  });

  it('have the kernels of all ring layers', async () => {
    const kernels = await learnedKernels(gmrNetwork(1, await gmr.device()));
    expect(kernels.map(({ layer, side }) => `${layer} ${side}`)).to.deep.equal(
      gmrStages.map(({ kernel }, i) => `conv${i + 1} ${kernel}`),
    );
  });

  it('profile a whole step', async () => {
    const digits = await loadDigits(8, 1);
    const { batch, steps, rows } = await profileStep(digits.train, quickSettings, await gmr.device());
    expect([batch, steps]).to.deep.equal([8, 15]);
    expect(rows.filter(({ pass }) => pass === 'cross_entropy_forward')).to.have.length(1);
    expect(rows.find(({ label, pass }) => label === 'conv1' && pass === 'ring_conv_forward')).to.include({ count: 1 });
    for (const { ms } of rows) expect(ms).to.be.at.least(0);
  });
});
