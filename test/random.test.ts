import { expect } from 'chai';
import * as gmr from '../lib/index.js';
import { expectFailure } from './support/failure.js';

const count = 20_000;

function moments(values: ArrayLike<number>): { mean: number; variance: number } {
  const list = Array.from(values);
  const mean = list.reduce((sum, value) => sum + value, 0) / list.length;
  return { mean, variance: list.reduce((sum, value) => sum + (value - mean) ** 2, 0) / list.length };
}

describe('Generator', () => {
  it('repeats with its seed and differs with another', () => {
    const draw = (seed: number): number[] => [...new gmr.Generator(seed).uniformArray(5)];
    expect(draw(1)).to.deep.equal(draw(1));
    expect(draw(1)).to.not.deep.equal(draw(2));
    expect([...new gmr.Generator().uniformArray(5)]).to.not.deep.equal([...new gmr.Generator().uniformArray(5)]);
  });

  it('draws uniform numbers from their interval', () => {
    const values = new gmr.Generator(1).uniformArray(count, -3, 5);
    expect(Math.min(...values)).to.be.within(-3, -2.99);
    expect(Math.max(...values)).to.be.within(4.99, 5);
    const { mean, variance } = moments(values);
    expect(mean).to.be.closeTo(1, 0.08);
    expect(variance).to.be.closeTo(64 / 12, 0.1);
  });

  it('draws normal numbers', () => {
    const { mean, variance } = moments(new gmr.Generator(2).normalArray(count, 2, 3));
    expect(mean).to.be.closeTo(2, 0.1);
    expect(variance).to.be.closeTo(9, 0.3);
  });

  it('draws integers evenly', () => {
    const generator = new gmr.Generator(3);
    const hits = [0, 0, 0, 0, 0];
    for (let i = 0; i < count; ++i) hits[generator.integer(-2, 3) + 2]! += 1;
    for (const hit of hits) expect(hit).to.be.closeTo(count / 5, 250);
  });

  it('permutes: each item once, each place as likely', () => {
    const generator = new gmr.Generator(4);
    expect([...generator.permutation(100)].toSorted((a, b) => a - b)).to.deep.equal(
      Array.from({ length: 100 }, (_, i) => i),
    );
    const first = [0, 0, 0];
    for (let i = 0; i < 6000; ++i) first[generator.permutation(3)[0]!]! += 1;
    for (const times of first) expect(times).to.be.closeTo(2000, 150);
    const items = ['a', 'b', 'c'];
    expect(generator.shuffle(items)).to.equal(items);
    expect(items.toSorted()).to.deep.equal(['a', 'b', 'c']);
    expect(generator.permutation(0)).to.have.length(0);
  });

  it('forks into generators that do not disturb each other', () => {
    const [a, b] = [new gmr.Generator(5), new gmr.Generator(5)];
    const [forkOfA, forkOfB] = [a.fork(), b.fork()];
    forkOfA.uniformArray(10);
    expect(a.uniform()).to.equal(b.uniform());
    expect(forkOfA.uniform()).to.not.equal(forkOfB.uniform());
  });

  it('goes on from a state that went through JSON', () => {
    const generator = new gmr.Generator(6);
    generator.uniformArray(1000);
    const state = JSON.parse(JSON.stringify(generator.getState())) as number[];
    const expected = generator.uniform();
    const other = new gmr.Generator();
    other.setState(state);
    expect(other.uniform()).to.equal(expected);
  });

  it('names the argument that is wrong', () => {
    const generator = new gmr.Generator(7);
    expectFailure(
      () => new gmr.Generator(-1),
      'invalid_argument',
      '[Generator] expected seed to be an integer in [0, 4294967295]',
    );
    expectFailure(() => gmr.manualSeed(1.5), 'invalid_argument', '[Generator] expected seed');
    expectFailure(() => generator.integer(3, 3), 'invalid_argument', '[Generator.integer] expected high');
    expectFailure(() => generator.permutation(-1), 'invalid_argument', '[Generator.permutation] expected count');
    expectFailure(
      () => generator.normalArray(2, 0, -1),
      'invalid_argument',
      '[Generator.normalArray] expected deviation',
    );
    expectFailure(() => generator.setState([1, 2]), 'invalid_argument', '[Generator] expected state');
    expectFailure(
      () => generator.setState([700, ...generator.getState().slice(1)]),
      'invalid_argument',
      '[Generator] expected state[0]',
    );
  });

  it('manualSeed seeds the default generator', () => {
    expect(gmr.manualSeed(8)).to.equal(gmr.defaultGenerator());
    const first = gmr.defaultGenerator().uniform();
    gmr.manualSeed(8);
    expect(gmr.defaultGenerator().uniform()).to.equal(first);
  });
});
