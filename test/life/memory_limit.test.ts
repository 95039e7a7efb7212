// GMR_MEMORY_LIMIT, and what happens when memory runs out: an error with the sizes, and everything goes on.
import { expect } from 'chai';
import { spawnSync } from 'node:child_process';
import { totalmem } from 'node:os';
import * as gmr from '../../lib/index.js';
import { linesOf, runChild } from '../support/child.js';
import { cudaSim } from '../support/devices.js';
import { SmallTraining } from '../support/small_training.js';

const mebibyte = 2 ** 20;
const remedy = ': take a smaller batch, free tensors sooner (scope, dispose), or raise it';
const prelude = `
const attempt = async (fn) => { try { return String(await fn()); } catch (e) { return e.code + ' ' + e.message; } };
const say = (value) => console.log(value);
`;

async function run(body: string, environment: Record<string, string>): Promise<string[]> {
  const result = await runChild(`${prelude}${body}`, environment);
  expect(result.code, result.stderr).to.equal(0);
  return result.stdout.trim().split('\n');
}

describe('memory limit', () => {
  it('is nine tenths of what there is, and less where GMR_MEMORY_LIMIT says so', async () => {
    const body = `await gmr.device('cpu'); say(gmr.memory(await gmr.device('cpu')).limitBytes);`;
    const [standard] = await run(body, { GMR_MEMORY_LIMIT: '' });
    expect(Number(standard)).to.be.within(mebibyte, 0.9 * totalmem());
    for (const [text, bytes] of [
      ['12345', 12345],
      ['100K', 100 * 2 ** 10],
      ['7M', 7 * mebibyte],
      ['999999999G', Number(standard)], // more than there is
      ['16777215T', Number(standard)],
      // A number and a unit as of `docker run --memory`.
      ['64m', 64 * mebibyte],
      ['0.5G', 512 * mebibyte],
      ['512MiB', 512 * mebibyte],
      ['512 mib', 512 * mebibyte],
      ['7MB', 7 * mebibyte],
      ['1.25kb', 1280],
      ['0.1M', 104857],
      ['0.0001t', 109951162],
      ['100B', 100],
      ['12.9', 12],
    ] as const) {
      expect(await run(body, { GMR_MEMORY_LIMIT: text })).to.deep.equal([String(bytes)]);
    }
  });

  it('that is no size is an error when a device opens, each time until it is mended', async () => {
    const lines = await run(
      `
      for (const text of ['x', '0', '-1', '+1', '1.G', '.5G', '1e9', '0.1', '1,5G', '1  G', '1P', '1Ki b', 'G', '99999999999999999999', '99999999999G']) {
        process.env.GMR_MEMORY_LIMIT = text;
        say(await attempt(() => gmr.device('cpu')));
      }
      process.env.GMR_MEMORY_LIMIT = '1M';
      say(gmr.memory(await gmr.device('cpu')).limitBytes);`,
      {},
    );
    expect(lines.pop()).to.equal(String(mebibyte));
    expect(lines).to.have.length(15);
    for (const line of lines) {
      expect(line).to.match(
        /^invalid_argument \[device\] expected GMR_MEMORY_LIMIT to be a size such as 4G, .*, received '.+'$/,
      );
    }
  });

  const devices = { cpu: `await gmr.device('cpu')`, cuda_sim: `gmr.Device.open('cuda_sim')` };
  for (const [name, open] of Object.entries(devices)) {
    it(`${name}: a request above it is an error with sizes, at the call or the next read; the rest goes on`, async function () {
      if (name === 'cuda_sim' && cudaSim === undefined) this.skip();
      const [whole, queued, sum, bytes] = await run(
        `
        const device = ${open};
        const put = (mebibytes) => gmr.tensor(new Float32Array(mebibytes * ${mebibyte / 4}), undefined, { device });
        const one = gmr.tensor([1], undefined, { device });
        put(20).dispose(); // leaves a cache, beside which 36 have no room
        await gmr.scope(() => [put(36).data()])[0];
        await one.data(); // the stream lets go of what it has read before it reads on
        say(await attempt(() => gmr.scope(() => [put(80).data()])[0]));
        const x = put(28);
        say(await attempt(() => gmr.scope(() => [gmr.ops.add(x, x).data()])[0]));
        const two = gmr.ops.add(one, one);
        say(await two.item());
        say(gmr.memory(device).bytes);`,
        { GMR_MEMORY_LIMIT: '50M', GMR_CUDA_SIM_QUIET: '1' },
      );
      expect(whole).to.equal(
        'out_of_memory [tensor] expected 83886080 bytes to be available, but there is too little: tensors hold 256 bytes, ' +
          'the cache 0, all threads together 256 of at most 52428800 (GMR_MEMORY_LIMIT)' +
          remedy,
      );
      expect(queued).to.equal(
        'out_of_memory [add] expected 29360128 bytes to be available, but there is too little: tensors hold 29360384 bytes, ' +
          'the cache 0, all threads together 29360384 of at most 52428800 (GMR_MEMORY_LIMIT)' +
          remedy,
      );
      expect(sum).to.equal('2');
      expect(bytes).to.equal(String(28 * mebibyte + 8));
    });
  }

  for (const [name, open] of Object.entries(devices)) {
    it(`${name}: tensors that have no memory, refused or still queued, are not counted`, async function () {
      if (name === 'cuda_sim' && cudaSim === undefined) this.skip();
      const [code, ...counts] = await run(
        `
        const device = ${open};
        const x = gmr.tensor(new Float32Array(${(7 * mebibyte) / 4}), undefined, { device });
        const refused = gmr.ops.add(x, x);
        say((await attempt(() => refused.data())).split(' ')[0]);
        const { buffers, bytes } = gmr.memory(device);
        say(buffers);
        say(bytes);
        for (let i = 0; i < 8; ++i) gmr.ops.cast(x, 'bfloat16').dispose(); // all queued at once, executed one by one
        await x.data();
        say(gmr.memory(device).peakBytes);`,
        { GMR_MEMORY_LIMIT: '12M', GMR_CUDA_SIM_QUIET: '1' },
      );
      expect(code).to.equal('out_of_memory');
      expect(counts.map(Number)).to.deep.equal([2, 7 * mebibyte, 10.5 * mebibyte]);
    });
  }

  for (const [name, open] of Object.entries(devices)) {
    it(`${name}: without the cache, memory has the sizes of tensors and goes with them`, async function () {
      if (name === 'cuda_sim' && cudaSim === undefined) this.skip();
      const body = `
        const device = ${open};
        const x = gmr.tensor([1, 2, 3], undefined, { device });
        const sum = gmr.ops.add(x, x);
        say([...(await sum.data())].join());
        const held = () => { const { reservedBytes, cachedBytes } = gmr.memory(device); return [reservedBytes, cachedBytes].join(); };
        say(held());
        sum.dispose();
        await x.data(); // the stream lets go of what it has read before it reads on
        say(held());`;
      expect(await run(body, { GMR_MEMORY_CACHE: '0' })).to.deep.equal(['2,4,6', '24,0', '12,0']);
      expect(await run(body, { GMR_MEMORY_CACHE: '1' })).to.deep.equal(['2,4,6', '512,0', '512,256']);
      const [refused] = await run(`say(await attempt(async () => ${open}));`, { GMR_MEMORY_CACHE: 'no' });
      expect(refused).to.equal("invalid_argument [device] expected GMR_MEMORY_CACHE to be 0 or 1, received 'no'");
    });
  }

  it('counts all threads together, and frees the caches of all before a request fails', async () => {
    const script = new URL('./children/shared_limit.js', import.meta.url);
    expect(await linesOf(script, [], { GMR_MEMORY_LIMIT: '60M' })).to.deep.equal([
      '24 MiB',
      'out_of_memory [tensor] expected 37748736 bytes to be available, but there is too little: tensors hold 25165824 bytes, ' +
        'the cache 0, all threads together 54525952 of at most 62914560 (GMR_MEMORY_LIMIT)' +
        remedy,
      '40 MiB',
    ]);
  });

  it('any limit lets training pass whole, or refuses it and leaves the device usable and empty', async () => {
    const lines = await linesOf(
      new URL('./children/limit_sweep.js', import.meta.url),
      [],
      {},
      { flags: ['--expose-gc'] },
    );
    const last = lines.pop();
    expect(lines.length).to.be.greaterThan(8); // some of which fail while the model is made, some in the step
    expect([...new Set(lines)]).to.deep.equal(['out_of_memory; 2; 4 bytes']);
    const training = new SmallTraining(await gmr.device('cpu'));
    expect(last).to.equal(`${(await training.run(3)).join(' ')}; 2; 4 bytes`);
    training.dispose();
  });
});

describe('threads that the system does not give', function () {
  this.timeout(30_000);
  for (const kind of ['cpu', 'cuda_sim']) {
    it(`${kind}: an error when the device opens, and no other harm`, async function () {
      if (kind === 'cuda_sim' && cudaSim === undefined) this.skip();
      const problem =
        spawnSync('prlimit', ['--version']).status !== 0
          ? 'there is no prlimit'
          : process.env['ASAN_OPTIONS'] !== undefined && 'a sanitizer needs address space of its own';
      if (problem !== false) {
        console.log(`Not tested without threads: ${problem}`);
        this.skip();
      }
      const environment = { GMR_CUDA_SIM_DEVICES: '7', GMR_CUDA_SIM_QUIET: '1' };
      const lines = await linesOf(new URL('./children/no_threads.js', import.meta.url), [kind], environment);
      expect(lines).to.have.length(7);
      expect(lines[0]).to.equal(
        'device_unavailable [device] expected the system to start a thread: Resource temporarily unavailable',
      );
      // Where a GPU's first thread starts and its second does not.
      const outcomes = lines.map((line) =>
        line === lines[0] ? 'refused' : /^cpu|^cuda_sim/.test(line) ? 'opened' : line,
      );
      expect(outcomes.filter((outcome) => outcome === 'refused').length, lines.join('\n')).to.be.within(1, 5);
      expect(outcomes.slice(-2)).to.deep.equal(['opened', '2']);
      expect(new Set(outcomes)).to.have.all.keys('refused', 'opened', '2');
    });
  }
});
