import * as React from 'react';
import type { VersionDetail } from '../models';
import { draftOf, isTouched } from '../parameters';
import type { PipelineSession } from '../pipelineSession';
import { RunField } from './runField';

/** The version and its parameters, and the button that runs it. */
export function RunForm(props: {
  pipeline: PipelineSession;
  version: VersionDetail;
}): React.JSX.Element {
  const { pipeline, version } = props;
  const { problems, drafts } = pipeline;
  const hasProblems = Object.keys(problems).length > 0;
  const hasChanges = version.parameters.some(parameter => isTouched(parameter, drafts));
  return (
    <form
      className="nb2prod-form"
      noValidate
      aria-label={`Run ${version.reference}`}
      onSubmit={event => {
        event.preventDefault();
        void pipeline.start();
      }}
    >
      <div className="nb2prod-field">
        <label htmlFor="nb2prod-version">Version</label>
        <select
          id="nb2prod-version"
          className="nb2prod-input"
          value={version.number}
          onChange={event => void pipeline.select(Number(event.target.value))}
        >
          {(pipeline.versions ?? [version]).map((entry, index) => (
            <option key={entry.number} value={entry.number}>
              {entry.reference}
              {index === 0 ? ' (newest)' : ''} by {entry.author}
            </option>
          ))}
        </select>
      </div>
      {version.parameters.length === 0 && <p className="nb2prod-quiet">It has no parameters.</p>}
      {version.parameters.map(parameter => (
        <RunField
          key={parameter.name}
          parameter={parameter}
          draft={draftOf(parameter, drafts)}
          problem={problems[parameter.name] ?? ''}
          onChange={draft => pipeline.setDraft(parameter.name, draft)}
        />
      ))}
      <div className="nb2prod-confirm">
        <button
          type="submit"
          className="nb2prod-button nb2prod-mod-main"
          disabled={hasProblems || pipeline.isStarting}
        >
          {pipeline.isStarting ? 'Starting…' : `Run ${version.reference}`}
        </button>
        {hasChanges && (
          <button
            type="button"
            className="nb2prod-button"
            onClick={() => pipeline.resetDrafts()}
          >
            Defaults
          </button>
        )}
      </div>
    </form>
  );
}
