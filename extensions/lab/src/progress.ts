/** How far a run is, folded from its events. */

import { addLines, addText, EMPTY_LOG, type Log } from './log';
import { isEnded, type RunEvent, type RunEvents, type RunStatus } from './models';

export interface Progress {
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

export function beginning(status: RunStatus): Progress {
  return {
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

/** Add what has happened since. */
export function advance(progress: Progress, news: RunEvents): Progress {
  const folded = news.events.reduce(addEvent, progress);
  return {
    ...folded,
    status: news.status,
    reason: news.reason,
    next: news.next,
    page: news.page
  };
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

const WORDS: Record<RunStatus, string> = {
  queued: 'Queued',
  running: 'Running',
  succeeded: 'Succeeded',
  failed: 'Failed',
  timed_out: 'Timed out',
  cancelled: 'Cancelled',
  kernel_died: 'Kernel died',
  lost: 'Lost'
};

export function statusText(status: RunStatus): string {
  return WORDS[status];
}

/** Where the run is, as in "Cell 4 of 9: Training". */
export function placeText(progress: Progress): string {
  if (progress.status === 'queued') {
    return 'Waiting to start';
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
