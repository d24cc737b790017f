/** The list of what was run: single runs, and sweeps as one entry each. */

import { isEnded, type RowStatus, type Run, type RunStatus, type SweepItem } from './models';
import { statusText } from './progress';

export type Entry =
  | { readonly kind: 'run'; readonly run: Run }
  | { readonly kind: 'sweep'; readonly sweep: SweepItem };

const MAX_ENTRIES = 10;

// In the order in which they are named; what went wrong before what still waits.
const STATUSES: readonly RowStatus[] = [
  'succeeded',
  'failed',
  'timed_out',
  'kernel_died',
  'lost',
  'cancelled',
  'running',
  'queued',
  'not_run'
];

/** Newest first. */
export function entriesOf(runs: readonly Run[], sweeps: readonly SweepItem[]): Entry[] {
  const entries: Entry[] = [
    ...runs.map(run => ({ kind: 'run' as const, run })),
    ...sweeps.map(sweep => ({ kind: 'sweep' as const, sweep }))
  ];
  return entries.sort((a, b) => createdAt(b) - createdAt(a)).slice(0, MAX_ENTRIES);
}

/** Whether something of it waits or goes on. */
export function isOpen(entry: Entry): boolean {
  return entry.kind === 'sweep' ? entry.sweep.is_open : !isEnded(entry.run.status);
}

export function idOf(entry: Entry): string {
  return entry.kind === 'sweep' ? entry.sweep.id : entry.run.id;
}

/** How the runs of a sweep stand, as in "9 succeeded, 1 failed, 4 running". */
export function countsText(sweep: SweepItem): string {
  const counts = STATUSES.map(status => [status, sweep.counts[status] ?? 0] as const);
  return counts
    .filter(([, count]) => count > 0)
    .map(([status, count]) => `${count} ${statusText(status).toLowerCase()}`)
    .join(', ');
}

/** How a sweep stands as a whole: well only where each of its runs is. */
export function statusOf(sweep: SweepItem): RunStatus {
  if (sweep.is_open) {
    return (sweep.counts.queued ?? 0) === sweep.count ? 'queued' : 'running';
  }
  if ((sweep.counts.succeeded ?? 0) === sweep.count) {
    return 'succeeded';
  }
  return failures(sweep) > 0 ? 'failed' : 'cancelled';
}

/** How many of its runs went wrong. */
export function failures(sweep: SweepItem): number {
  const { cancelled = 0, not_run = 0 } = sweep.counts;
  return missing(sweep) - cancelled - not_run;
}

/** How many of its runs have no result, and are not about to have one. */
export function missing(sweep: SweepItem): number {
  const { succeeded = 0, queued = 0, running = 0 } = sweep.counts;
  return sweep.count - succeeded - queued - running;
}

/** How many of its runs have ended. */
export function ended(sweep: SweepItem): number {
  const { queued = 0, running = 0, not_run = 0 } = sweep.counts;
  return sweep.count - queued - running - not_run;
}

export function runsText(count: number): string {
  return count === 1 ? '1 run' : `${count.toLocaleString('en')} runs`;
}

function createdAt(entry: Entry): number {
  return Date.parse(entry.kind === 'sweep' ? entry.sweep.created_at : entry.run.created_at);
}
