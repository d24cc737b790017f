import { ReactWidget, UseSignal } from '@jupyterlab/ui-components';
import type { Message as LuminoMessage } from '@lumino/messaging';
import * as React from 'react';
import { pipelineIcon } from '../icons';
import type { Workspace } from '../models';
import { stemOf } from '../names';
import type { PanelModel, Tab } from '../panelModel';
import { PANEL_ID } from '../tokens';
import { Message } from './message';
import { Words } from './words';
import { Promote } from './promote';
import { RunView } from './run';

/** The side panel. */
export class PipelinePanel extends ReactWidget {
  constructor(private readonly _model: PanelModel) {
    super();
    this.id = PANEL_ID;
    this.title.icon = pipelineIcon;
    this.title.caption = 'Pipeline';
    this.addClass('nb2prod-panel');
    // Opened by the keyboard, it is where the next key goes.
    this.node.tabIndex = -1;
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', 'Pipeline');
  }

  protected override render(): React.JSX.Element {
    return (
      <UseSignal signal={this._model.changed}>{() => <PanelView model={this._model} />}</UseSignal>
    );
  }

  protected override onAfterShow(message: LuminoMessage): void {
    super.onAfterShow(message);
    this._model.setVisible(true);
  }

  protected override onAfterHide(message: LuminoMessage): void {
    super.onAfterHide(message);
    this._model.setVisible(false);
  }

  protected override onAfterAttach(message: LuminoMessage): void {
    super.onAfterAttach(message);
    this._model.setVisible(this.isVisible);
  }

  protected override onBeforeDetach(message: LuminoMessage): void {
    this._model.setVisible(false);
    super.onBeforeDetach(message);
  }

  protected override onActivateRequest(message: LuminoMessage): void {
    super.onActivateRequest(message);
    this.node.focus();
  }
}

function PanelView(props: { model: PanelModel }): React.JSX.Element {
  const { model } = props;
  const { context } = model;
  return (
    <>
      <div className="nb2prod-header">
        <h3>Pipeline</h3>
        {context?.is_available && (
          <span className="nb2prod-quiet" title={`You are ${context.role} of ${context.project}`}>
            {context.title} · {context.role}
          </span>
        )}
      </div>
      {model.error && (
        <Message tone="error" action={{ label: 'Try again', run: () => void model.load() }}>
          <Words text={model.error.message} />
        </Message>
      )}
      {!context && !model.error && (
        <p className="nb2prod-quiet" role="status">
          Looking for the workspace…
        </p>
      )}
      {context && !context.is_available && <Message tone="info"><Words text={context.message} /></Message>}
      {context?.is_available && <Tabs model={model} workspace={context} />}
    </>
  );
}

const TABS: readonly (readonly [Tab, string])[] = [
  ['promote', 'Promote'],
  ['run', 'Run']
];

function Tabs(props: { model: PanelModel; workspace: Workspace }): React.JSX.Element {
  const { model, workspace } = props;
  const { notebook, tab } = model;
  const other: Tab = tab === 'promote' ? 'run' : 'promote';
  return (
    <>
      <div
        role="tablist"
        aria-label="Pipeline"
        className="nb2prod-tabs"
        onKeyDown={event => {
          if (event.key === 'ArrowLeft' || event.key === 'ArrowRight') {
            model.showTab(other);
            document.getElementById(`nb2prod-tab-${other}`)?.focus();
          }
        }}
      >
        {TABS.map(([name, label]) => (
          <button
            key={name}
            type="button"
            role="tab"
            id={`nb2prod-tab-${name}`}
            aria-selected={tab === name}
            aria-controls="nb2prod-tab-panel"
            tabIndex={tab === name ? 0 : -1}
            onClick={() => model.showTab(name)}
          >
            {label}
          </button>
        ))}
      </div>
      <div
        id="nb2prod-tab-panel"
        role="tabpanel"
        aria-labelledby={`nb2prod-tab-${tab}`}
        className="nb2prod-body"
      >
        {notebook === null ? (
          <p className="nb2prod-quiet">Open a notebook to promote or run it.</p>
        ) : (
          <>
            <p className="nb2prod-notebook" title={notebook.path}>
              {stemOf(notebook.path)}.ipynb
            </p>
            {tab === 'promote' ? (
              <Promote key={notebook.panel.id} model={model} workspace={workspace} notebook={notebook} />
            ) : (
              <Runs model={model} workspace={workspace} />
            )}
          </>
        )}
      </div>
    </>
  );
}

function Runs(props: { model: PanelModel; workspace: Workspace }): React.JSX.Element {
  const { pipeline } = props.model;
  return pipeline === null ? (
    <p className="nb2prod-quiet">
      This notebook’s name is no name for a pipeline. Check it, and give the pipeline a name.
    </p>
  ) : (
    <RunView key={pipeline.pipeline} {...props} pipeline={pipeline} />
  );
}
