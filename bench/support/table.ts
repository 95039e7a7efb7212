export interface Column<Row> {
  title: string;
  /** Text to the left, numbers to the right. */
  align: 'left' | 'right';
  cell: (row: Row) => string;
}

/** Lines of an aligned table with a rule under its titles. Columns that are empty in every row are left out. */
export function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string[] {
  const filled = columns
    .map(({ title, align, cell }) => {
      const cells = rows.map(cell);
      return { title, align, cells, width: Math.max(title.length, ...cells.map(({ length }) => length)) };
    })
    .filter(({ cells }) => cells.some((cell) => cell !== ''));
  const line = (cellOf: (column: (typeof filled)[number]) => string): string =>
    filled
      .map((column) =>
        column.align === 'left' ? cellOf(column).padEnd(column.width) : cellOf(column).padStart(column.width),
      )
      .join('  ')
      .trimEnd();
  return [
    line(({ title }) => title),
    line(({ width }) => '-'.repeat(width)),
    ...rows.map((_, i) => line(({ cells }) => cells[i]!)),
  ];
}

/** Three significant digits, never an exponent. */
export function number3(value: number): string {
  if (value >= 99.95) return value.toFixed(0);
  if (value >= 9.995) return value.toFixed(1);
  return value >= 0.9995 ? value.toFixed(2) : value.toFixed(3);
}

export function percent(fraction: number): string {
  return `${(100 * fraction).toFixed(0)} %`;
}
