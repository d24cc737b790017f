import * as React from 'react';
import { runsText } from '../entries';
import type { FormSession } from '../formSession';
import type { VersionDetail } from '../models';
import { draftOf } from '../parameters';
import type { PipelineSession } from '../pipelineSession';
import { start } from '../questions';
import { Message } from './message';
import { RunField } from './runField';
import { SweepCount } from './sweepCount';
import { SweepField } from './sweepField';
import { SweepHelp } from './sweepHelp';
import { Words } from './words';

/** Where the form is found by who fills it in. */
export const FORM_ID = 'nb2prod-run-form';

/** The version and its parameters, and the button that runs it, once or as a sweep. */
export function RunForm(props: {
  pipeline: PipelineSession;
  version: VersionDetail;
}): React.JSX.Element {
  const { pipeline, version } = props;
  const { form } = pipeline;
  return (
    <form
      id={FORM_ID}
      className="nb2prod-form"
      noValidate
      aria-label={`Run ${version.reference}`}
      onSubmit={event => {
        event.preventDefault();
        void start(pipeline);
      }}
    >
      <VersionField pipeline={pipeline} version={version} />
      {version.parameters.length === 0 ? (
        <p className="nb2prod-quiet">It has no parameters.</p>
      ) : (
        <SweepSwitch form={form} />
      )}
      {form.isSweep && <SweepHelp />}
      <Fields form={form} version={version} />
      {form.refusal && (
        <Message tone="error">
          <Words text={form.refusal.message} />
        </Message>
      )}
      <div className="nb2prod-confirm">
        {form.isSweep && <SweepCount form={form} />}
        <button
          type="submit"
          className="nb2prod-button nb2prod-mod-main"
          disabled={!isReady(form) || pipeline.isStarting}
        >
          {pipeline.isStarting ? 'Starting…' : label(form, version)}
        </button>
        {form.hasChanges && (
          <button type="button" className="nb2prod-button" onClick={() => form.reset()}>
            Defaults
          </button>
        )}
      </div>
    </form>
  );
}

function isReady(form: FormSession): boolean {
  return !form.hasProblems && (!form.isSweep || form.preview !== null);
}

function label(form: FormSession, version: VersionDetail): string {
  if (!form.isSweep) {
    return `Run ${version.reference}`;
  }
  const { preview } = form;
  return preview === null ? 'Start the sweep' : `Start ${runsText(preview.count)}`;
}

function VersionField(props: {
  pipeline: PipelineSession;
  version: VersionDetail;
}): React.JSX.Element {
  const { pipeline, version } = props;
  return (
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
            v{entry.number}
            {index === 0 ? ' (newest)' : ''} by {entry.author}
          </option>
        ))}
      </select>
    </div>
  );
}

function SweepSwitch(props: { form: FormSession }): React.JSX.Element {
  const { form } = props;
  return (
    <label className="nb2prod-switch" title="Run it with several values of its parameters">
      <input
        type="checkbox"
        role="switch"
        checked={form.isSweep}
        onChange={event => form.setSweep(event.target.checked)}
      />{' '}
      Sweep
    </label>
  );
}

function Fields(props: { form: FormSession; version: VersionDetail }): React.JSX.Element {
  const { form } = props;
  const { problems, drafts } = form;
  return (
    <>
      {props.version.parameters.map(parameter =>
        form.isSweep ? (
          <SweepField
            key={parameter.name}
            parameter={parameter}
            drafts={drafts}
            sweepDrafts={form.sweepDrafts}
            problem={problems[parameter.name] ?? ''}
            onChange={text => form.setSweepDraft(parameter.name, text)}
            onDraft={draft => form.setDraft(parameter.name, draft)}
          />
        ) : (
          <RunField
            key={parameter.name}
            parameter={parameter}
            draft={draftOf(parameter, drafts)}
            problem={problems[parameter.name] ?? ''}
            onChange={draft => form.setDraft(parameter.name, draft)}
          />
        )
      )}
    </>
  );
}
