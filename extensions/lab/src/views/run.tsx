import * as React from 'react';
import type { Workspace } from '../models';
import type { PanelModel } from '../panelModel';
import type { PipelineSession } from '../pipelineSession';
import { Message } from './message';
import { Words } from './words';
import { RunForm } from './runForm';
import { RunList } from './runList';
import { RunProgress } from './runProgress';
import { SweepProgress } from './sweepProgress';

/** A pipeline's form and runs. */
export function RunView(props: {
  model: PanelModel;
  workspace: Workspace;
  pipeline: PipelineSession;
}): React.JSX.Element {
  const { model, workspace, pipeline } = props;
  const retry = (): void => void pipeline.load();
  const promoted = model.notebook?.promoted;
  const mayRun = workspace.role !== 'viewer';
  const { run, sweep } = pipeline;
  const version = pipeline.form.version;
  return (
    <>
      {promoted && <Message tone="success">{promoted.reference} is made.</Message>}
      {pipeline.error && (
        <Message tone="error" action={{ label: 'Try again', run: retry }}>
          <Words text={pipeline.error.message} />
        </Message>
      )}
      {pipeline.versions === null && !version && !pipeline.error && (
        <p className="nb2prod-quiet" role="status">
          Loading…
        </p>
      )}
      {pipeline.versions?.length === 0 && (
        <Message
          tone="info"
          action={{ label: 'Promote', run: () => void model.promote() }}
        >
          Nothing has been promoted as “{pipeline.pipeline}” yet.
        </Message>
      )}
      {version && (
        <section>
          {mayRun ? (
            <RunForm pipeline={pipeline} version={version} />
          ) : (
            <Message tone="info">You are a viewer of {workspace.title}: editors and owners run pipelines.</Message>
          )}
        </section>
      )}
      {pipeline.interruption && (
        <Message tone="warning">
          {pipeline.interruption.message} It is tried again by itself; the run is not affected.
        </Message>
      )}
      {sweep && (
        <SweepProgress
          key={sweep.item.id}
          pipeline={pipeline}
          watch={sweep}
          publicUrl={workspace.public_url}
          mayRun={mayRun}
        />
      )}
      {run && (
        <RunProgress
          key={run.run.id}
          pipeline={pipeline}
          watch={run}
          publicUrl={workspace.public_url}
          mayRun={mayRun}
        />
      )}
      {pipeline.entries && version && (
        <section>
          <h4>Runs of {pipeline.pipeline}</h4>
          <RunList pipeline={pipeline} />
        </section>
      )}
    </>
  );
}
