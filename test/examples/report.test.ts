import { expect } from 'chai';
import { inflateSync } from 'node:zlib';
import { html, raised, share } from '../../examples/mnist/report/html.js';
import { renderReport } from '../../examples/mnist/report/page.js';
import { pngAddress } from '../../examples/mnist/report/png.js';
import { checkPromises } from '../../examples/mnist/promises.js';
import { fullLimits, fullSettings } from '../../examples/mnist/settings.js';
import { byModule } from '../../examples/mnist/report/timing.js';
import {
  accuracyNotPromised,
  percent,
  scientific,
  startProgress,
  summary,
  verdict,
} from '../../examples/mnist/terminal.js';
import { resultsFixture } from './results_fixture.js';

function occurrences(text: string, part: string): number {
  return text.split(part).length - 1;
}

describe('examples/mnist report', () => {
  const results = resultsFixture();
  const page = renderReport(results);

  it('needs nothing from outside and runs no script', () => {
    expect(page).to.not.match(/https?:|src="(?!data:)|href="(?!data:)|url\(|@import|<script|<link/);
    expect(page.length).to.be.below(300_000);
  });

  it('has its main parts', () => {
    expect(occurrences(page, '<svg')).to.equal(2);
    expect(page).to.match(/98\.7 %<span>GMR/);
    expect(page).to.include('0 of 50,000 answers changed');
    for (const title of [
      'Accuracy against angle',
      'Learned kernels',
      'Training',
      'Where the time goes',
      'The machine',
    ]) {
      expect(page).to.include(`<h2>${title}</h2>`);
    }
    // 80 views and 32 kernels; the eight digits around the plot are images of the SVG.
    expect(occurrences(page, '<img')).to.equal(112);
    expect(occurrences(page, '<image')).to.equal(8);
    expect(occurrences(page, '<title>')).to.equal(1 + 2 * 36 + 8);
  });

  it('colours each answer by what it is', () => {
    const wrong = results.samples.flatMap(({ label, views }) => views.filter(({ cnn }) => cnn !== label)).length;
    expect(page.match(/<b class="wrong"/g)).to.have.length(wrong);
    expect(page.match(/<b class="right"/g)).to.have.length(160 - wrong);
  });

  it('escapes what it did not write', () => {
    expect(page).to.include('Example &lt;CPU&gt; &amp; &quot;Co&quot;');
    expect(html`<p>${'<b>'}${html`<i>${"'"}</i>`}</p>`.text).to.equal('<p>&lt;b&gt;<i>&#39;</i></p>');
  });

  it('closes every element that it opens', () => {
    const open: string[] = [];
    for (const [, closing, name, rest] of page.matchAll(/<(\/?)([a-z][a-z0-9]*)([^>]*)>/g)) {
      if (['meta', 'img', 'br'].includes(name!) || rest!.endsWith('/')) continue;
      if (closing === '') open.push(name!);
      else expect(open.pop()).to.equal(name);
    }
    expect(open).to.deep.equal([]);
  });

  it('has no number that is none', () => {
    expect(page).to.not.match(/NaN|undefined|Infinity|\[object/);
  });

  it('says so when the promise was broken', () => {
    const broken = resultsFixture();
    broken.networks.gmr.invariance[1]!.changedPredictions = 1234;
    broken.promise = checkPromises(broken.networks, fullSettings.testImages, fullLimits);
    const text = renderReport(broken);
    expect(text).to.include('class="promise broken"').and.to.include('1 of 6 promises were not kept');
    expect(text).to.match(/Not kept: GMR network, turned .*<b>1234 of 50,000 answers changed/);
    expect(verdict(broken).match(/^ {2}(kept|BROKEN)/gm)).to.deep.equal(['  BROKEN', ...Array(5).fill('  kept')]);
  });

  it('names the promises that were checked, and says when accuracies were not', () => {
    expect(page).to.include('All 6 promises of this demo were kept.');
    expect(page).to.not.include(accuracyNotPromised);
    const changed = resultsFixture();
    changed.promise = checkPromises(changed.networks, fullSettings.testImages, null);
    for (const text of [renderReport(changed), verdict(changed)]) expect(text).to.include(accuracyNotPromised);
    expect(renderReport(changed)).to.include('The promise of this demo was kept.');
  });

  it('does not round up to perfection', () => {
    expect(share(0.9999)).to.equal('99.9');
    expect(share(1)).to.equal('100.0');
    expect(share(0.987)).to.equal('98.7');
  });

  it('rounds halves of what was counted up', () => {
    expect(share(0.1545)).to.equal('15.5');
    expect(share(0.1655)).to.equal('16.6');
    expect(percent(0.10045)).to.equal('10.05 %');
    expect(percent(0)).to.equal('0.00 %');
  });

  it('claims what was measured', () => {
    expect(page).to.include('Read at any angle.').and.to.not.include('quick version');
    const quick = { ...resultsFixture(), quick: true };
    quick.networks.gmr.worstAngle.accuracy = 0.7;
    const text = renderReport(quick);
    expect(text).to.include('Tested turned and mirrored.').and.to.include('The quick version trains too little');
    expect(text).to.not.include('Read at any angle.');
  });

  it('has the labels of the plot in front of its curves', () => {
    expect(page.indexOf('class="axis halo"')).to.be.greaterThan(page.lastIndexOf('class="area line"'));
  });

  it('writes small numbers as people do', () => {
    expect([2.44e-6, 1e-12, 0].map((value) => scientific(value))).to.deep.equal(['2.4 × 10⁻⁶', '1.0 × 10⁻¹²', '0']);
    expect(scientific(1e-4, 0)).to.equal('10⁻⁴');
    expect(scientific(-Infinity)).to.equal('-Infinity');
    expect(raised('2.4 × 10⁻¹² < 1').text).to.equal('2.4 × 10<sup>−12</sup> &lt; 1');
    expect(page).to.match(/logits to 10<sup>−4<\/sup>.*<b>.* moved by 2\.4 × 10<sup>−6<\/sup><\/b>/);
    expect(page.replaceAll(/"data:[^"]*"/g, '')).to.not.match(/\de-\d|[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]/);
  });

  it('adds up the time by module, in order', () => {
    const modules = byModule(results.profile);
    expect(modules.map(({ label }) => label)).to.have.ordered.members([
      ...[1, 2, 3, 4, 5, 6].flatMap((i) => [`block${i}.conv`, `block${i}.norm`]),
      '',
    ]);
    const total = modules.reduce((sum, module) => sum + module.total, 0);
    expect(total).to.be.closeTo(
      results.profile.rows.reduce((sum, { ms }) => sum + ms, 0),
      1e-9,
    );
    expect(modules[0]!.ms).to.deep.equal({ forward: 12, 'input gradient': 12, 'weight gradient': 12, other: 0 });
  });
});

describe('examples/mnist terminal', () => {
  it('has a plain line for the end of each stage where there is no terminal, however short it was', () => {
    const lines: string[] = [];
    const out = { isTTY: false, write: (text: string) => lines.push(text) > 0 };
    const progress = startProgress('testing', 300, 3, out);
    for (let done = 10; done <= 300; done += 10) progress.update(done, `view ${Math.ceil(done / 100)}`);
    progress.stop();
    expect(lines.map((line) => line.replace(/ +[\d,]+ images.*/s, ''))).to.deep.equal([
      '  testing  33 %  view 1',
      '  testing  66 %  view 2',
      '  testing 100 %  view 3',
    ]);
  });

  it('closes with a table of both networks', () => {
    const table = summary(resultsFixture());
    expect(table).to.match(/upright +98\.70 % +99\.00 %/);
    expect(table).to.match(/mirrored top-bottom +98\.70 % +31\.00 %/);
    expect(table).to.not.include('quick');
    expect(summary({ ...resultsFixture(), quick: true })).to.equal(
      `${table}  The quick version trains too little to compare accuracies.\n`,
    );
    expect(verdict(resultsFixture())).to.include('0 of 50,000 answers changed').and.not.to.include('BROKEN');
  });
});

describe('examples/mnist png', () => {
  it('writes rows of pixels that a reader gets back', () => {
    const pixels = Uint8Array.of(0, 255, 10, 200, 20, 100, 30, 0);
    const file = Buffer.from(pngAddress(2, 2, 2, pixels).replace('data:image/png;base64,', ''), 'base64');
    expect(file.readUInt32BE(16)).to.equal(2);
    expect([...file.subarray(24, 26)]).to.deep.equal([8, 4]);
    const start = file.indexOf('IDAT');
    const rows = inflateSync(file.subarray(start + 4, start + 4 + file.readUInt32BE(start - 4)));
    expect([...rows]).to.deep.equal([0, 0, 255, 10, 200, 0, 20, 100, 30, 0]);
  });
});
