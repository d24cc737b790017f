import * as React from 'react';
import { isEnded } from '../models';
import type { PipelineSession } from '../pipelineSession';
import type { RunWatch } from '../runWatch';
import { Message } from './message';
import { FORM_ID } from './runForm';
import { Words } from './words';

/** What can be done about the watched run: by editors and owners, and by all. */
export function RunActions(props: {
  pipeline: PipelineSession;
  watch: RunWatch;
  mayRun: boolean;
  children: React.ReactNode;
}): React.JSX.Element {
  const { watch } = props;
  return (
    <>
      {watch.refusal && (
        <Message tone="error">
          <Words text={watch.refusal.message} />
        </Message>
      )}
      <div className="nb2prod-actions">
        {props.mayRun && <Change pipeline={props.pipeline} watch={watch} />}
        {props.children}
      </div>
    </>
  );
}

function Change(props: { pipeline: PipelineSession; watch: RunWatch }): React.JSX.Element {
  const { pipeline, watch } = props;
  return isEnded(watch.progress.status) ? (
    <button
      type="button"
      className="nb2prod-button"
      title="Put this run’s version and values into the form"
      onClick={() => void pipeline.fillFrom(watch.run).then(showForm)}
    >
      Run again
    </button>
  ) : (
    <button
      type="button"
      className="nb2prod-button"
      disabled={watch.isCancelling}
      onClick={() => void pipeline.change(() => watch.cancel())}
    >
      {watch.isCancelling ? 'Cancelling…' : 'Cancel run'}
    </button>
  );
}

function showForm(): void {
  const form = document.getElementById(FORM_ID);
  form?.scrollIntoView({ block: 'start' });
  form?.querySelector<HTMLElement>('select, input, textarea')?.focus({ preventScroll: true });
}
