/** How far a run is, folded from its events. */

import { addLines, addText, EMPTY_LOG, type Log } from './log';
import { isEnded, type RowStatus, type RunEvent, type RunEvents, type RunStatus } from './models';

export interface Progress {
  /** From 1. */
  readonly attempt: number;
  readonly status: RunStatus;
  readonly reason: string;
  /** Number of code cells; `null` until the run has started. */
  readonly cells: number | null;
  /** Code cells that have ended. */
  readonly done: number;
  /** The code cell that runs, from 1; 0 before the first. */
  readonly position: number;
  /** The last heading before it. */
  readonly heading: string;
  readonly log: Log;
  readonly next: number;
  readonly page: string | null;
}

export function beginning(status: RunStatus, attempt = 1): Progress {
  return {
    attempt,
    status,
    reason: '',
    cells: null,
    done: 0,
    position: 0,
    heading: '',
    log: EMPTY_LOG,
    next: 0,
    page: null
  };
}

/** Add what has happened since; each attempt begins anew. */
export function advance(progress: Progress, news: RunEvents): Progress {
  if (news.attempt !== progress.attempt && progress.next > 0) {
    // These events were asked for by a place in the log of the attempt before.
    return beginning(news.status, news.attempt);
  }
  if (news.status === 'queued') {
    // What is there while it waits is left over from the attempt before.
    return beginning('queued', news.attempt);
  }
  const folded = news.events.reduce(addEvent, progress);
  return {
    ...folded,
    attempt: news.attempt,
    status: news.status,
    reason: news.reason,
    next: news.next,
    page: news.page
  };
}

/** Whether anything has happened. */
export function hasNews(progress: Progress, news: RunEvents): boolean {
  const isSame = news.status === progress.status && news.attempt === progress.attempt;
  return !isSame || (news.events.length > 0 && news.next !== progress.next);
}

function addEvent(progress: Progress, event: RunEvent): Progress {
  switch (event.kind) {
    case 'run_started':
      return { ...progress, cells: event.total };
    case 'cell_started':
      return {
        ...progress,
        position: event.position ?? progress.position,
        heading: event.heading
      };
    case 'output':
      return { ...progress, log: addOutput(progress.log, event) };
    case 'cell_ended':
      return { ...progress, done: progress.done + 1 };
    case 'noted':
      return { ...progress, log: addLines(progress.log, event.text) };
    default:
      return progress;
  }
}

function addOutput(log: Log, event: RunEvent): Log {
  return event.stream === null ? addLines(log, event.text) : addText(log, event.text);
}

/** How much of the run is done, from 0 to 1. */
export function share(progress: Progress): number {
  if (progress.status === 'succeeded') {
    return 1;
  }
  return progress.cells ? Math.min(progress.done / progress.cells, 1) : 0;
}

const WORDS: Record<RowStatus, string> = {
  queued: 'Queued',
  running: 'Running',
  succeeded: 'Succeeded',
  failed: 'Failed',
  timed_out: 'Timed out',
  cancelled: 'Cancelled',
  kernel_died: 'Kernel died',
  lost: 'Lost',
  not_run: 'Not run'
};

export function statusText(status: RowStatus): string {
  return WORDS[status];
}

/** Where the run is, as in "Cell 4 of 9: Training". */
export function placeText(progress: Progress): string {
  if (progress.status === 'queued') {
    return progress.attempt > 1 ? `Waiting for attempt ${progress.attempt}` : 'Waiting to start';
  }
  if (progress.status === 'running' && progress.position === 0) {
    return 'Starting the kernel';
  }
  const cells = progress.cells === null ? '' : ` of ${progress.cells}`;
  if (isEnded(progress.status)) {
    return progress.cells === null ? '' : `${progress.done}${cells} cells were run`;
  }
  const heading = progress.heading ? `: ${progress.heading}` : '';
  return `Cell ${progress.position}${cells}${heading}`;
}
