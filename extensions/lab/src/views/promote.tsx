import * as React from 'react';
import { confirmation } from '../confirm';
import type { Proposal, Workspace } from '../models';
import { nameProblem } from '../names';
import type { Activity, NotebookSession } from '../notebookSession';
import type { PanelModel } from '../panelModel';
import { Findings } from './findings';
import { Message } from './message';
import { Words } from './words';
import { ParameterTable } from './parameterTable';
import { Script } from './script';

const ACTIVITIES: Record<Activity, string> = {
  saving: 'Saving the notebook…',
  checking: 'Checking the notebook…',
  promoting: 'Promoting…'
};

/** From the notebook to a version. */
export function Promote(props: {
  model: PanelModel;
  workspace: Workspace;
  notebook: NotebookSession;
}): React.JSX.Element {
  const { model, workspace, notebook } = props;
  if (workspace.role === 'viewer') {
    return (
      <Message tone="info">
        You are a viewer of {workspace.title}: you can read it and its runs. Editors and owners
        promote notebooks; an owner can make you one.
      </Message>
    );
  }
  const check = (): void => void notebook.check();
  const { proposal, activity } = notebook;
  return (
    <>
      {notebook.notice && <Message tone="warning">{notebook.notice}</Message>}
      {notebook.error && (
        <Message tone="error" action={{ label: 'Try again', run: check }}>
          <Words text={notebook.error.message} />
        </Message>
      )}
      {notebook.isStale && proposal && !activity && (
        <Message tone="warning" action={{ label: 'Check again', run: check }}>
          The notebook has changed since it was checked.
        </Message>
      )}
      {activity && (
        <p className="nb2prod-quiet" role="status">
          {ACTIVITIES[activity]}
        </p>
      )}
      {!proposal && !activity && !notebook.error && <Beginning notebook={notebook} check={check} />}
      {proposal && (
        <ProposalView
          model={model}
          workspace={workspace}
          notebook={notebook}
          proposal={proposal}
          check={check}
        />
      )}
    </>
  );
}

function Beginning(props: { notebook: NotebookSession; check: () => void }): React.JSX.Element {
  return (
    <>
      {props.notebook.promoted && (
        <Message tone="success">{props.notebook.promoted.reference} is made.</Message>
      )}
      <p>
        The notebook is saved and checked. You see what is wrong with it, and the script that it
        becomes, before a version is made.
      </p>
      <button type="button" className="nb2prod-button nb2prod-mod-main" onClick={props.check}>
        Check this notebook
      </button>
    </>
  );
}

function ProposalView(props: {
  model: PanelModel;
  workspace: Workspace;
  notebook: NotebookSession;
  proposal: Proposal;
  check: () => void;
}): React.JSX.Element {
  const { model, notebook, proposal } = props;
  const state = confirmation(proposal, {
    role: props.workspace.role,
    isStale: notebook.isStale,
    isRenamed: notebook.isRenamed
  });
  return (
    <div className={notebook.isStale ? 'nb2prod-mod-stale' : undefined}>
      <NameField notebook={notebook} check={props.check} />
      <section aria-label="Findings">
        <Findings findings={proposal.findings} onChoose={finding => void model.goTo(finding)} />
      </section>
      {!proposal.is_blocked && (
        <>
          <section>
            <h4>Parameters</h4>
            <ParameterTable parameters={proposal.parameters} />
          </section>
          <section>
            <h4>Script</h4>
            <Script key={proposal.digest} proposal={proposal} />
          </section>
        </>
      )}
      <div className="nb2prod-confirm">
        <button
          type="button"
          className="nb2prod-button nb2prod-mod-main"
          disabled={!state.isPossible || notebook.activity !== null}
          aria-describedby="nb2prod-confirm-reason"
          onClick={() => void notebook.promote()}
        >
          {state.label}
        </button>
        <button
          type="button"
          className="nb2prod-button"
          disabled={notebook.activity !== null}
          onClick={props.check}
        >
          Check again
        </button>
        <p id="nb2prod-confirm-reason" className="nb2prod-quiet">
          {state.reason}
        </p>
      </div>
    </div>
  );
}

function NameField(props: { notebook: NotebookSession; check: () => void }): React.JSX.Element {
  const { notebook } = props;
  const problem = nameProblem(notebook.name);
  const submit = (): void => {
    if (notebook.isRenamed && problem === '') {
      props.check();
    }
  };
  return (
    <div className="nb2prod-field">
      <label htmlFor="nb2prod-name">Pipeline</label>
      <input
        id="nb2prod-name"
        className="nb2prod-input"
        value={notebook.name}
        maxLength={60}
        spellCheck={false}
        autoComplete="off"
        disabled={notebook.activity !== null}
        aria-invalid={problem !== ''}
        aria-describedby="nb2prod-name-problem"
        onChange={event => notebook.rename(event.target.value)}
        onKeyDown={event => {
          if (event.key === 'Enter') {
            submit();
          }
        }}
      />
      <p id="nb2prod-name-problem" className="nb2prod-problem">
        {problem}
      </p>
    </div>
  );
}
