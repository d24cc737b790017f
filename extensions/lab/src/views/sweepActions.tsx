import * as React from 'react';
import { missing } from '../entries';
import type { PipelineSession } from '../pipelineSession';
import { cancelAll, resume } from '../questions';
import type { SweepWatch } from '../sweepWatch';
import { Message } from './message';
import { Words } from './words';

/** What editors and owners can do about the watched sweep. */
export function SweepActions(props: {
  pipeline: PipelineSession;
  watch: SweepWatch;
}): React.JSX.Element {
  const { pipeline, watch } = props;
  const { item } = watch;
  const lacking = missing(item);
  return (
    <>
      {watch.refusal && (
        <Message tone="error">
          <Words text={watch.refusal.message} />
        </Message>
      )}
      <div className="nb2prod-actions">
        {item.is_open && (
          <button
            type="button"
            className="nb2prod-button"
            disabled={watch.isCancelling}
            onClick={() => void cancelAll(pipeline, watch)}
          >
            {watch.isCancelling ? 'Cancelling…' : 'Cancel all'}
          </button>
        )}
        {lacking > 0 && !watch.isCancelling && (
          <button
            type="button"
            className="nb2prod-button"
            disabled={watch.isResuming}
            title="Run anew what has failed, was cancelled, or is missing"
            onClick={() => void resume(pipeline, watch)}
          >
            Run what is missing ({lacking})
          </button>
        )}
      </div>
    </>
  );
}
