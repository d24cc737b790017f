import * as React from 'react';
import { ageText } from '../age';
import type { Run, RunStatus } from '../models';
import { differences } from '../parameters';
import type { PipelineSession } from '../pipelineSession';
import { StatusMark } from './statusMark';

/** The pipeline's last runs; a click follows one. */
export function RunList(props: { pipeline: PipelineSession }): React.JSX.Element {
  const { pipeline } = props;
  const runs = pipeline.runs ?? [];
  if (runs.length === 0) {
    return <p className="nb2prod-quiet">None yet.</p>;
  }
  return (
    <ul className="nb2prod-runs">
      {runs.map(run => (
        <li key={run.id}>
          <button
            type="button"
            className="nb2prod-run"
            aria-pressed={run.id === pipeline.watched?.id}
            title="Show its progress and log"
            onClick={() => pipeline.watch(run)}
          >
            <span className="nb2prod-row">
              <StatusMark status={statusOf(run, pipeline)} />
              <span className="nb2prod-quiet">{ageText(run.created_at, Date.now())}</span>
            </span>
            <span className="nb2prod-run-parameters">{describe(run, pipeline)}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}

function statusOf(run: Run, pipeline: PipelineSession): RunStatus {
  const isWatched = run.id === pipeline.watched?.id;
  return (isWatched ? pipeline.progress?.status : undefined) ?? run.status;
}

function describe(run: Run, pipeline: PipelineSession): string {
  const version = pipeline.detail(run.version);
  const changes = version === null ? [] : differences(run.parameters, version.parameters);
  const what = changes.length === 0 ? 'defaults' : changes.join(', ');
  return `v${run.version} by ${run.requested_by}, ${what}`;
}
