/** The page's looks; light or dark as the reader's system is. */
export const style = `
:root {
  color-scheme: light dark;
  --page: #fbfaf8; --card: #ffffff; --ink: #1d2126; --soft: #626a73; --line: #e4e1db; --grid: #dcd9d2;
  --gmr: #0a6f74; --cnn: #b8601a; --wrong: #b3261e; --wrong-back: #fbe4e1; --right: #4b6b52; --right-back: #edf3ec;
  --bar: #0a6f74;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171a; --card: #1b1f23; --ink: #e8e6e1; --soft: #9aa3ab; --line: #2d3338; --grid: #333a40;
    --gmr: #56c5bd; --cnn: #e7a15e; --wrong: #ffb4a9; --wrong-back: #5c1f1a; --right: #a9cdb0; --right-back: #223027;
    --bar: #3c9d97;
  }
  .ink { filter: invert(1); }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", Arial, sans-serif;
  font-variant-numeric: tabular-nums;
}
main { max-width: 1060px; margin: 0 auto; padding: 56px 28px 72px; }
sup { font-size: .75em; line-height: 0; }
h1 { font-size: clamp(30px, 5vw, 46px); line-height: 1.12; letter-spacing: -.02em; font-weight: 650; margin: 0 0 16px; }
h2 { font-size: 23px; letter-spacing: -.01em; font-weight: 620; margin: 0 0 6px; }
h3 { font-size: 15px; font-weight: 620; margin: 0 0 8px; }
p { margin: 0 0 14px; max-width: 68ch; }
.lead { font-size: 18px; color: var(--soft); }
.over { font-size: 13px; color: var(--soft); letter-spacing: .06em; text-transform: uppercase; margin-bottom: 12px; }
.block { margin-top: 60px; }
.caption { color: var(--soft); font-size: 15px; margin-bottom: 20px; max-width: 78ch; }
.gmr { color: var(--gmr); } .cnn { color: var(--cnn); }
.strong { font-weight: 650; }

.headline { display: grid; grid-template-columns: repeat(4, 1fr); margin: 36px 0 0; border-block: 1px solid var(--line); }
.headline > div { padding: 20px 20px 18px; border-left: 1px solid var(--line); }
.headline > div:first-child { border-left: 0; padding-left: 0; }
.headline h3 { color: var(--soft); font-weight: 500; margin: 0 0 6px; }
.headline b { display: block; font-size: 38px; line-height: 1.1; letter-spacing: -.02em; font-weight: 650; }
.headline b + b { font-size: 24px; margin-top: 6px; }
.headline b span { font-size: 13px; font-weight: 500; letter-spacing: 0; margin-left: 7px; }
.promise { margin: 26px 0 0; padding-left: 16px; border-left: 3px solid var(--gmr); }
.promise p { margin-bottom: 6px; }
.promise ul { margin: 0; padding: 0; list-style: none; font-size: 15px; color: var(--soft); }
.promise b { color: var(--ink); font-weight: 600; }
.promise.broken { border-color: var(--wrong); } .promise.broken p, .promise li.broken, .promise .broken b { color: var(--wrong); }

.columns { display: grid; grid-template-columns: 1fr 1fr; gap: 32px; align-items: start; }
.columns > * { min-width: 0; }
.wide-left { grid-template-columns: 1fr 1fr; gap: 40px; align-items: center; }
.plot { width: 100%; height: auto; display: block; overflow: visible; font-size: 12px; }
.plot text { fill: var(--soft); }
.plot .halo text { paint-order: stroke; stroke: var(--page); stroke-width: 4px; }
.grid { fill: none; stroke: var(--grid); stroke-width: 1; }
.line { fill: none; stroke: currentColor; stroke-width: 2; stroke-linejoin: round; }
.line.area { fill: currentColor; fill-opacity: .1; }
.dots { fill: currentColor; }
image, .digits img, .kernels img { image-rendering: pixelated; }
.key { display: flex; flex-wrap: wrap; gap: 4px 22px; font-size: 14px; margin: 0 0 16px; }
.key span::before { content: ""; display: inline-block; width: 18px; height: 3px; border-radius: 2px; background: currentColor;
  vertical-align: middle; margin-right: 8px; }

table { border-collapse: collapse; width: 100%; font-size: 15px; }
th { font-weight: 500; text-align: left; }
thead th { color: var(--soft); font-size: 13px; vertical-align: bottom; line-height: 1.25; }
td, thead th:not(:first-child) { text-align: right; }
td { white-space: nowrap; }
tbody tr, tfoot tr { border-top: 1px solid var(--line); }
td, th { padding: 7px 0 7px 12px; }
td:first-child, th:first-child { padding-left: 0; }
tbody th, tfoot th { white-space: nowrap; }
.scroll { overflow-x: auto; }

.digits { table-layout: fixed; }
.digits td, .digits thead th:not(:first-child), .digits thead th:first-child { text-align: center; padding: 6px 3px 9px; }
.digits img { display: block; width: 100%; max-width: 60px; margin: 0 auto 3px; aspect-ratio: 1; }
.answers { display: inline-flex; gap: 4px; font-size: 14px; line-height: 1.5; }
.answers b { min-width: 1.6em; border-radius: 5px; font-weight: 600; }
.right { color: var(--right); background: var(--right-back); }
.wrong { color: var(--wrong); background: var(--wrong-back); }
.sample { padding: 1px 7px; border-radius: 5px; font-weight: 600; }

.kernels { margin-bottom: 24px; }
.kernels h3 span { color: var(--soft); font-weight: 400; margin-left: 6px; }
.kernels > div { display: grid; grid-template-columns: repeat(16, 1fr); gap: 8px; }
.kernels img { width: 100%; aspect-ratio: 1; display: block; border-radius: 3px; background: var(--card);
  box-shadow: 0 0 0 1px var(--line); }

.timing { font-size: 14px; min-width: 720px; }
.timing small { display: inline; color: var(--soft); margin-left: 10px; font-size: 13px; }
.timing .bar { width: 20%; padding-left: 22px; }
.timing .bar i { display: block; height: 9px; border-radius: 2px; background: var(--bar); min-width: 1px; }

.network h3 { color: inherit; font-size: 17px; }
.network ol, .network dl { color: var(--ink); }
.network ol { margin: 0 0 18px; padding: 0; list-style: none; font-size: 14px; }
.network li { padding: 4px 0; border-top: 1px solid var(--line); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 6px 20px; margin: 0; font-size: 15px; }
dt { color: var(--soft); } dd { margin: 0; }
footer { margin-top: 64px; padding-top: 18px; border-top: 1px solid var(--line); color: var(--soft); font-size: 14px; }

@media (max-width: 760px) {
  main { padding: 32px 18px 48px; }
  .block { margin-top: 46px; }
  .columns, .wide-left { grid-template-columns: minmax(0, 1fr); }
  .headline { grid-template-columns: 1fr 1fr; }
  .headline > div { padding: 14px 0 14px 16px; }
  .headline > div:nth-child(odd) { border-left: 0; padding-left: 0; }
  .headline > div:nth-child(n + 3) { border-top: 1px solid var(--line); }
  .headline b { font-size: 32px; }
  .kernels > div { grid-template-columns: repeat(8, 1fr); gap: 6px; }
  dl { grid-template-columns: minmax(0, 1fr); gap: 0; }
  dd { margin-bottom: 8px; }
  td, th { padding-left: 8px; }
  .columns table { font-size: 14px; }
  .columns tbody th { white-space: normal; }
  .answers { gap: 2px; font-size: 12px; }
  .answers b { min-width: 1.35em; }
}
@media print { .block { break-inside: avoid; } }
`;
