/** What the panel shows: the workspace, the active notebook, and its pipeline. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { Contents } from '@jupyterlab/services';
import { Signal, type ISignal } from '@lumino/signaling';
import { asApiError, type Api, type ApiError } from './api';
import type { Context, Finding } from './models';
import { nameProblem } from './names';
import { goToCell } from './notebook';
import { NotebookSession } from './notebookSession';
import { PipelineSession } from './pipelineSession';

export type Tab = 'promote' | 'run';

export class PanelModel {
  constructor(
    private readonly _api: Api,
    private readonly _shell: JupyterFrontEnd.IShell,
    private readonly _tracker: INotebookTracker,
    private readonly _contents: Contents.IManager
  ) {
    _tracker.currentChanged.connect(this._onNotebookChanged, this);
  }

  /** Emitted when anything that the panel shows is new. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** The workspace; `null` until it is known. */
  get context(): Context | null {
    return this._context;
  }

  /** Why the workspace is not known. */
  get error(): ApiError | null {
    return this._error;
  }

  get tab(): Tab {
    return this._tab;
  }

  /** The active notebook; `null` where none is open. */
  get notebook(): NotebookSession | null {
    const panel = this._tracker.currentWidget;
    return panel === null ? null : this._sessionOf(panel);
  }

  /** The active notebook's pipeline; `null` where its name can't be one. */
  get pipeline(): PipelineSession | null {
    const { notebook } = this;
    const name = notebook?.promoted?.pipeline ?? notebook?.proposal?.pipeline ?? notebook?.name ?? '';
    return nameProblem(name) === '' ? this._pipelineOf(name) : null;
  }

  showTab(tab: Tab): void {
    this._tab = tab;
    this._follow();
  }

  /** The panel was opened or closed. */
  setVisible(isVisible: boolean): void {
    this._isVisible = isVisible;
    if (isVisible && this._context === null) {
      void this.load();
    }
    this._follow();
  }

  /** Ask anew who is here, and where. */
  async load(): Promise<void> {
    this._error = null;
    this._changed.emit();
    try {
      this._context = await this._api.context();
    } catch (error) {
      this._error = asApiError(error);
    }
    this._follow();
  }

  /** Check the active notebook, as its person is allowed to. */
  async promote(): Promise<void> {
    this.showTab('promote');
    if (this._context === null) {
      await this.load();
    }
    if (this._context?.is_available && this._context.role !== 'viewer') {
      await this.notebook?.check();
    }
  }

  /** Show the cell that a finding is about. */
  async goTo(finding: Finding): Promise<void> {
    const { notebook } = this;
    const id = notebook?.cellOf(finding) ?? null;
    if (notebook !== null && id !== null) {
      await goToCell(this._shell, notebook.panel, id, finding.line);
    }
  }

  private _sessionOf(panel: NotebookPanel): NotebookSession {
    const known = this._notebooks.get(panel);
    if (known !== undefined) {
      return known;
    }
    const session = new NotebookSession(panel, this._api, this._contents);
    session.changed.connect(this._follow, this);
    session.promotedNow.connect((_, version) => {
      this._tab = 'run';
      void this._pipelineOf(version.pipeline).addVersion(version);
    });
    panel.disposed.connect(() => {
      this._notebooks.delete(panel);
      session.dispose();
      this._follow();
    });
    this._notebooks.set(panel, session);
    return session;
  }

  private _pipelineOf(name: string): PipelineSession {
    let session = this._pipelines.get(name);
    if (session === undefined) {
      session = new PipelineSession(name, this._api);
      session.changed.connect(() => this._changed.emit());
      this._pipelines.set(name, session);
    }
    return session;
  }

  private _onNotebookChanged(): void {
    this._follow();
  }

  /** Only the pipeline that the person looks at asks the server by itself. */
  private _follow(): void {
    const isWanted = this._isVisible && this._tab === 'run' && this._context?.is_available === true;
    const wanted = isWanted ? this.pipeline : null;
    if (wanted !== this._active) {
      this._active?.setActive(false);
      this._active = wanted;
      wanted?.setActive(true);
    }
    this._changed.emit();
  }

  private _context: Context | null = null;
  private _error: ApiError | null = null;
  private _tab: Tab = 'promote';
  private _isVisible = false;
  private _active: PipelineSession | null = null;
  private readonly _notebooks = new Map<NotebookPanel, NotebookSession>();
  private readonly _pipelines = new Map<string, PipelineSession>();
  private readonly _changed = new Signal<this, void>(this);
}
