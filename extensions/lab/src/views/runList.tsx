import * as React from 'react';
import { ageText } from '../age';
import { countsText, idOf, statusOf, type Entry } from '../entries';
import type { Run, RunStatus, SweepItem } from '../models';
import { differences } from '../parameters';
import type { PipelineSession } from '../pipelineSession';
import { StatusMark } from './statusMark';

/** The pipeline's last runs and sweeps; a click follows one. */
export function RunList(props: { pipeline: PipelineSession }): React.JSX.Element {
  const { pipeline } = props;
  const entries = pipeline.entries ?? [];
  if (entries.length === 0) {
    return <p className="nb2prod-quiet">None yet.</p>;
  }
  return (
    <ul className="nb2prod-runs">
      {entries.map(entry => (
        <li key={idOf(entry)}>
          <EntryButton pipeline={pipeline} entry={entry} />
        </li>
      ))}
    </ul>
  );
}

function EntryButton(props: { pipeline: PipelineSession; entry: Entry }): React.JSX.Element {
  const { pipeline, entry } = props;
  if (entry.kind === 'sweep') {
    const { sweep: watch } = pipeline;
    const sweep = watch?.item.id === entry.sweep.id ? watch.item : entry.sweep;
    return (
      <ListButton
        isWatched={watch?.item.id === sweep.id}
        title="Show its table"
        status={statusOf(sweep)}
        createdAt={sweep.created_at}
        text={describeSweep(sweep)}
        onClick={() => pipeline.watchSweep(sweep)}
      />
    );
  }
  const { run } = entry;
  const watch = pipeline.run?.run.id === run.id ? pipeline.run : null;
  return (
    <ListButton
      isWatched={watch !== null}
      title="Show its progress and log"
      status={watch?.progress.status ?? run.status}
      createdAt={run.created_at}
      text={describeRun(run, pipeline)}
      onClick={() => pipeline.watch(run)}
    />
  );
}

function ListButton(props: {
  isWatched: boolean;
  title: string;
  status: RunStatus;
  createdAt: string;
  text: string;
  onClick: () => void;
}): React.JSX.Element {
  return (
    <button
      type="button"
      className="nb2prod-run"
      aria-pressed={props.isWatched}
      title={props.title}
      onClick={props.onClick}
    >
      <span className="nb2prod-row">
        <StatusMark status={props.status} />
        <span className="nb2prod-quiet">{ageText(props.createdAt, Date.now())}</span>
      </span>
      <span className="nb2prod-run-parameters">{props.text}</span>
    </button>
  );
}

function describeSweep(sweep: SweepItem): string {
  const over = sweep.varied.length === 0 ? '' : ` over ${sweep.varied.join(' × ')}`;
  return `Sweep of ${sweep.count}: ${countsText(sweep)} · v${sweep.version} by ${sweep.requested_by}${over}`;
}

function describeRun(run: Run, pipeline: PipelineSession): string {
  const version = pipeline.detail(run.version);
  const changes = version === null ? [] : differences(run.parameters, version.parameters);
  const what = changes.length === 0 ? 'defaults' : changes.join(', ');
  return `v${run.version} by ${run.requested_by}, ${what}`;
}
