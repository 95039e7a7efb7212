import { expect } from 'chai';
import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { parseOptions, UsageError } from '../../examples/mnist/options.js';
import { fullLimits, fullSettings, learningRateAt, quickLimits, quickSettings } from '../../examples/mnist/settings.js';

describe('examples/mnist options', () => {
  it('has defaults, and smaller ones for the quick version', () => {
    expect(parseOptions([])).to.deep.equal({
      settings: fullSettings,
      quick: false,
      accuracyLimits: fullLimits,
      device: 'auto',
      out: 'demo-out',
    });
    expect(parseOptions(['--quick'])!.settings).to.deep.equal(quickSettings);
  });

  it('promises accuracies for the standard epochs and seed alone', () => {
    const limits = (...args: string[]) => parseOptions(args)!.accuracyLimits;
    expect(limits('--quick')).to.equal(quickLimits);
    const { epochs, seed } = fullSettings;
    expect(limits('--epochs', String(epochs), '--seed', String(seed), '--device', 'cpu')).to.equal(fullLimits);
    expect(limits('--epochs', String(epochs + 1))).to.equal(null);
    expect(limits('--seed', String(seed + 1))).to.equal(null);
    expect(limits('--quick', '--epochs', String(quickSettings.epochs + 1))).to.equal(null);
  });

  it('reads numbers and names', () => {
    const options = parseOptions(['--epochs', '7', '--seed=0', '--out', 'there', '--device', 'cpu'])!;
    expect(options.settings).to.deep.equal({ ...fullSettings, epochs: 7, seed: 0 });
    expect(options).to.include({ out: 'there', device: 'cpu' });
  });

  it('asks for nothing else when help is wanted', () => {
    expect(parseOptions(['--help', '--quick'])).to.equal(undefined);
  });

  for (const [name, kept, variable] of [
    ['demo', '--quick', 'npm_config_quick'],
    ['bench', '--no-peer', 'npm_config_peer'],
  ] as const) {
    /** What the script says and its exit code; it must not come to building native code. */
    const run = (args: string[], environment: Record<string, string> = {}): SpawnSyncReturns<string> => {
      const env = { ...process.env, npm_lifecycle_event: name, ...environment };
      const options = { encoding: 'utf8', env, timeout: 30_000 } as const;
      const result = spawnSync(process.execPath, [`scripts/${name}.mjs`, ...args], options);
      expect(result.stdout).to.not.include('Native code');
      return result;
    };

    it(`npm run ${name} -- --help builds no native code`, () => {
      const { status, stdout } = run(['--help']);
      expect(status).to.equal(0);
      expect(stdout).to.include(`Usage: npm run ${name} -- [options]`);
    });

    it(`npm run ${name} refuses a mistake before it builds native code`, () => {
      const { status, stderr } = run(['--bogus']);
      expect(status).to.equal(2);
      expect(stderr).to.match(new RegExp(`^${name}: Unknown option '--bogus'`));
    });

    it(`npm run ${name} ${kept} is refused: npm has taken the option for its own`, () => {
      const { status, stderr } = run([], { [variable]: '' });
      expect(status).to.equal(2);
      expect(stderr).to.equal(`expected \`npm run ${name} -- ${kept}\`: without the -- in front npm keeps ${kept}\n`);
    });
  }

  const mistakes: [string[], string][] = [
    [['--epochs', '0'], '--epochs must be an integer from 1 to 1000, not "0"'],
    [['--epochs', '1e2'], '--epochs must be an integer'],
    [['--seed=-1'], '--seed must be an integer from 0'],
    [['--seed', '1.5'], '--seed must be an integer'],
    [['--epochs'], "'--epochs <value>' argument missing"],
    [['--fast'], "Unknown option '--fast'"],
    [['more'], "Unexpected argument 'more'"],
    [['more\rand more'], "Unexpected argument 'more"],
    [['--epochs', '3\n'], '--epochs must be an integer'],
    [['--out='], '--out must name a folder'],
    [['--device='], '--device must name a device'],
  ];
  for (const [args, message] of mistakes) {
    it(`refuses ${JSON.stringify(args)} in one line`, () => {
      expect(() => parseOptions(args))
        .to.throw(UsageError, message)
        .with.property('message')
        .that.matches(/^.+$/);
    });
  }
});

describe('examples/mnist learning rate', () => {
  it('rises to its peak, then falls to its last value', () => {
    const rates = Array.from({ length: 101 }, (_, step) => learningRateAt(step, 101, { ...fullSettings, warmUp: 0.2 }));
    const peak = rates.indexOf(Math.max(...rates));
    expect(peak).to.equal(20);
    expect(rates[peak]).to.be.closeTo(fullSettings.learningRate, 1e-12);
    expect(rates[100]).to.be.closeTo(fullSettings.finalLearningRate, 1e-12);
    for (let i = 1; i < rates.length; ++i) expect(rates[i]! > rates[i - 1]!, `step ${i}`).to.equal(i <= peak);
  });

  it('is a number however few steps there are', () => {
    for (const steps of [1, 2, 3]) {
      for (let step = 0; step < steps; ++step) {
        expect(learningRateAt(step, steps, fullSettings)).to.be.within(0, fullSettings.learningRate);
      }
    }
  });
});
