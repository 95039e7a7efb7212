import { expect } from 'chai';
import { loadDigits } from '../../examples/mnist/data.js';
import { evaluate } from '../../examples/mnist/evaluate.js';
import { gmrNetwork, plainNetwork } from '../../examples/mnist/networks.js';
import { checkPromises } from '../../examples/mnist/promises.js';
import { networkResult, type NetworkResult, type Results } from '../../examples/mnist/results.js';
import { fullLimits, fullSettings, quickLimits, quickSettings } from '../../examples/mnist/settings.js';
import * as gmr from '../../lib/index.js';
import { resultsFixture } from './results_fixture.js';

type Networks = Results['networks'];

/** Which promises are broken after a change to results that keep all of them. */
function brokenBy(change: (networks: Networks) => void): string[] {
  const { networks } = resultsFixture();
  change(networks);
  const { checks, kept } = checkPromises(networks, fullSettings.testImages, fullLimits);
  const broken = checks.filter((check) => !check.kept).map(({ claim }) => claim);
  expect(kept).to.equal(broken.length === 0);
  return broken;
}

function setAccuracy({ points }: NetworkResult, degrees: number, mirror: string, accuracy: number): void {
  points.find(({ transform }) => transform.degrees === degrees && transform.mirror === mirror)!.accuracy = accuracy;
}

describe('examples/mnist promises', () => {
  it('are kept at their very limits', () => {
    const { gmrExact, gmrMean, gmrWorst, cnnUpright, cnnTurned } = fullLimits;
    expect(
      brokenBy(({ gmr, cnn }) => {
        setAccuracy(gmr, 90, 'none', gmrExact);
        gmr.meanOverAngles = gmrMean;
        gmr.worstAngle.accuracy = gmrWorst;
        setAccuracy(cnn, 0, 'none', cnnUpright);
        setAccuracy(cnn, 270, 'none', cnnTurned);
      }),
    ).to.deep.equal([]);
  });

  const mistakes: Record<string, [claim: RegExp, change: (networks: Networks) => void]> = {
    'an answer that a turn changed': [/same answers/, ({ gmr }) => (gmr.invariance[1]!.changedPredictions = 1)],
    'logits that a mirror moved': [/same answers/, ({ gmr }) => (gmr.invariance[4]!.maxRelativeDifference = 1.1e-4)],
    'logits that are no numbers': [/same answers/, ({ gmr }) => (gmr.invariance[4]!.maxRelativeDifference = NaN)],
    'invariance that was not tested': [/same answers/, ({ gmr }) => (gmr.invariance = [])],
    'the GMR network upright': [/GMR network at 0°/, ({ gmr }) => setAccuracy(gmr, 0, 'none', 0.9599)],
    'the GMR network in a mirror': [/GMR network at 0°/, ({ gmr }) => setAccuracy(gmr, 0, 'top-bottom', 0.9599)],
    'a mirror that was not tested': [/GMR network at 0°/, ({ gmr }) => gmr.points.pop()],
    'its mean': [/mean over all angles/, ({ gmr }) => (gmr.meanOverAngles = 0.8999)],
    'its worst angle': [/worst angle/, ({ gmr }) => (gmr.worstAngle.accuracy = 0.8599)],
    'a CNN that was not trained as well': [/CNN upright/, ({ cnn }) => setAccuracy(cnn, 0, 'none', 0.9749)],
    'a CNN that reads turned digits': [/CNN at 270°/, ({ cnn }) => setAccuracy(cnn, 270, 'none', 0.3501)],
    'a CNN whose turn was not tested': [/CNN at 270°/, ({ cnn }) => cnn.points.splice(27, 1)],
  };
  for (const [name, [claim, change]] of Object.entries(mistakes)) {
    it(`are broken by ${name}`, () => {
      const broken = brokenBy(change);
      expect(broken).to.have.length(1);
      expect(broken[0]).to.match(claim);
    });
  }

  it('are broken by untrained networks, although these are invariant', async () => {
    const device = await gmr.device();
    const settings = { ...quickSettings, testImages: 200, angleStep: 90 };
    const digits = await loadDigits(1, settings.testImages);
    const networks = [gmrNetwork(settings.seed, device), plainNetwork(settings.seed, device)];
    const { signal } = new AbortController();
    const evaluations = await evaluate(networks, digits.test, settings, device, signal, () => {});
    const untrained = { seconds: 0, imagesPerSecond: 0, loss: [] };
    const [ring, plain] = networks.map((network, i) => networkResult(network, untrained, evaluations[i]!));
    const tested = { gmr: ring!, cnn: plain! };
    for (const limits of [fullLimits, quickLimits]) {
      const { checks, kept } = checkPromises(tested, settings.testImages, limits);
      expect(kept).to.equal(false);
      // Nothing reads digits, and what reads nothing reads no turned digits either.
      expect(checks.map((check) => check.kept)).to.deep.equal([true, false, false, false, false, true]);
    }
    expect(checkPromises(tested, settings.testImages, null).kept).to.equal(true);
    for (const { model } of networks) model.dispose();
  });
});
