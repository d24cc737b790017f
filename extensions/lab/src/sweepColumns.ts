/** The columns of a sweep's table, and what stands in its cells. */

import type { Json, Sweep, SweepRow, TableView } from './models';
import { choiceText } from './parameters';

/** A panel is narrow; the sweep's page has all metrics. */
const MAX_METRICS = 8;
const DIGITS = 4;

export interface Column {
  /** By which the service sorts. */
  sort: string;
  title: string;
  /** Whether its cells stand to the right, as numbers do. */
  isNumber: boolean;
  text: (row: SweepRow) => string;
}

/** The parameters that vary, then the metrics. */
export function columnsOf(table: Sweep): Column[] {
  const parameters = table.varied.map(name => ({
    sort: `parameter:${name}`,
    title: name,
    isNumber: table.rows.every(row => typeof row.parameters[name] === 'number'),
    text: (row: SweepRow) => valueText(row.parameters[name])
  }));
  const metrics = table.metrics.slice(0, MAX_METRICS).map(name => ({
    sort: `metric:${name}`,
    title: name,
    isNumber: true,
    text: (row: SweepRow) => numberText(row.metrics[name])
  }));
  return [...parameters, ...metrics];
}

/** How many metrics are left out. */
export function metricsLeftOut(table: Sweep): number {
  return Math.max(0, table.metrics.length - MAX_METRICS);
}

/** The view after a click on a column's title: its order is turned, or it sorts from now on. */
export function sortedBy(view: TableView, sort: string): TableView {
  const isTurned = view.sort === sort && view.order === 'asc';
  return { sort, order: isTurned ? 'desc' : 'asc', offset: 0 };
}

function valueText(value: Json | undefined): string {
  return value === undefined ? '' : choiceText(value);
}

/** A number with as many digits as a person compares. */
export function numberText(value: number | null | undefined): string {
  return typeof value === 'number' ? String(Number(value.toPrecision(DIGITS))) : '–';
}
