import * as React from 'react';
import type { RowStatus } from '../models';
import { statusText } from '../progress';

const SIGNS: Record<RowStatus, string> = {
  queued: '○',
  running: '◐',
  succeeded: '✓',
  failed: '✕',
  timed_out: '✕',
  cancelled: '–',
  kernel_died: '✕',
  lost: '?',
  not_run: '·'
};

/** A run's status, as a sign and a word. */
export function StatusMark(props: { status: RowStatus }): React.JSX.Element {
  return (
    <span className={`nb2prod-status nb2prod-mod-${props.status}`} data-status={props.status}>
      <span aria-hidden="true">{SIGNS[props.status]}</span>{' '}
      <span className="nb2prod-status-word">{statusText(props.status)}</span>
    </span>
  );
}
