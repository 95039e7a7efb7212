// Where a training step's time goes: a row a module, a column a pass.
import type { Results, StepProfile } from '../results.js';
import { html, share, type Markup } from './html.js';

const columns = ['forward', 'input gradient', 'weight gradient', 'other'] as const;
type Column = (typeof columns)[number];

/** Every row's time falls into one column, by the end of its pass's name. */
function columnOf(pass: string): Column {
  if (pass.endsWith('_backward_input')) return 'input gradient';
  if (pass.endsWith('_backward_weight')) return 'weight gradient';
  return pass.endsWith('_forward') ? 'forward' : 'other';
}

interface ModuleTime {
  label: string;
  ops: Set<string>;
  ms: Record<Column, number>;
  total: number;
}

/** Rows summed by module, in the order in which the modules ran; what belongs to none comes last. */
export function byModule({ rows }: StepProfile): ModuleTime[] {
  const modules = new Map<string, ModuleTime>();
  for (const { label, pass, ms } of rows) {
    let entry = modules.get(label);
    if (entry === undefined) {
      const none = Object.fromEntries(columns.map((column) => [column, 0])) as Record<Column, number>;
      entry = { label, ops: new Set(), ms: none, total: 0 };
      modules.set(label, entry);
    }
    entry.ops.add(pass.replace(/_(forward|backward(_input|_weight)?|step)$/, '').replaceAll('_', ' '));
    entry.ms[columnOf(pass)] += ms;
    entry.total += ms;
  }
  return [...modules.values()].toSorted((a, b) => Number(a.label === '') - Number(b.label === ''));
}

function milliseconds(ms: number): string {
  return ms === 0 ? '' : ms < 0.005 ? '0.00' : ms.toFixed(2);
}

export function timingTable({ profile }: Results): Markup {
  const modules = byModule(profile);
  const total = modules.reduce((sum, entry) => sum + entry.total, 0);
  const longest = Math.max(...modules.map((entry) => entry.total));
  const rows = modules.map(
    (entry) =>
      html`<tr>
        <th scope="row">${entry.label || 'loss and optimiser'}<small>${[...entry.ops].join(', ')}</small></th>
        ${columns.map((column) => html`<td>${milliseconds(entry.ms[column])}</td>`)}
        <td class="strong">${milliseconds(entry.total)}</td>
        <td class="bar"><i style="width:${((100 * entry.total) / longest).toFixed(1)}%"></i></td>
        <td>${share(entry.total / total)} %</td>
      </tr>`,
  );
  const sums = columns.map(
    (column) => html`<td>${milliseconds(modules.reduce((sum, entry) => sum + entry.ms[column], 0))}</td>`,
  );
  return html`<div class="scroll">
    <table class="timing">
      <thead>
        <tr>
          <th scope="col">module</th>
          ${columns.map((column) => html`<th scope="col">${column}</th>`)}
          <th scope="col">ms</th>
          <th scope="col" colspan="2">share</th>
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
      <tfoot>
        <tr>
          <th scope="row">whole step</th>
          ${sums}
          <td class="strong">${milliseconds(total)}</td>
          <td></td>
          <td></td>
        </tr>
      </tfoot>
    </table>
  </div>`;
}
