/** One notebook on its way to a version: checked, mended, checked again, promoted. */

import type { NotebookPanel } from '@jupyterlab/notebook';
import type { Contents } from '@jupyterlab/services';
import { Debouncer } from '@lumino/polling';
import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';
import { asApiError, type Api, type ApiError, type NotebookPlace } from './api';
import type { Finding, Proposal, VersionDetail } from './models';
import { nameProblem, pipelineOf, stemOf } from './names';
import { cellIds, contentOf, save } from './notebook';

/** Pause in typing after which the notebook is compared with what was checked. */
const COMPARE_MS = 250;

export type Activity = 'saving' | 'checking' | 'promoting';

export class NotebookSession implements IDisposable {
  constructor(
    readonly panel: NotebookPanel,
    private readonly _api: Api,
    private readonly _contents: Contents.IManager
  ) {
    panel.context.model.contentChanged.connect(this._onContentChanged, this);
    panel.context.pathChanged.connect(this._onPathChanged, this);
  }

  /** Emitted when anything here is new. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Emitted with a version that was just made. */
  get promotedNow(): ISignal<this, VersionDetail> {
    return this._promotedNow;
  }

  get path(): string {
    return this._contents.localPath(this.panel.context.path);
  }

  /** What goes on now; `null` where nothing does. */
  get activity(): Activity | null {
    return this._activity;
  }

  get proposal(): Proposal | null {
    return this._proposal;
  }

  get error(): ApiError | null {
    return this._error;
  }

  /** A sentence about what this session did by itself; empty where there is none. */
  get notice(): string {
    return this._notice;
  }

  /** Whether the notebook has changed since it was checked. */
  get isStale(): boolean {
    return this._isStale;
  }

  /** The version that was made last from here. */
  get promoted(): VersionDetail | null {
    return this._promoted;
  }

  /** The pipeline's name as it stands in the field. */
  get name(): string {
    return this._name ?? this._proposal?.pipeline ?? pipelineOf(this.path);
  }

  get isRenamed(): boolean {
    return this._proposal !== null && this.name !== this._proposal.pipeline;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  rename(name: string): void {
    this._name = name;
    this._changed.emit();
  }

  /** Save the notebook and have it checked. */
  async check(notice = ''): Promise<void> {
    if (this._activity !== null) {
      return;
    }
    this._begin('saving', notice);
    try {
      await save(this.panel);
      this._isStale = false;
      this._checked = contentOf(this.panel);
      this._cells = cellIds(this.panel);
      this._activity = 'checking';
      this._changed.emit();
      const hash = this.panel.context.contentsModel?.hash ?? null;
      const proposal = await this._api.propose(this._place(), hash);
      this._proposal = proposal;
      this._promoted = null;
      this._name = null;
    } catch (error) {
      this._error = asApiError(error);
    } finally {
      this._end();
    }
  }

  /** Make the version that was checked. */
  async promote(): Promise<void> {
    const proposal = this._proposal;
    this._compare();
    if (proposal === null || this._activity !== null || this._isStale) {
      return;
    }
    this._begin('promoting');
    let isOutdated = false;
    try {
      const place = { path: this.path, name: proposal.pipeline };
      const version = await this._api.promote(place, proposal.digest);
      this._promoted = version;
      this._proposal = null;
      this._promotedNow.emit(version);
    } catch (error) {
      this._error = asApiError(error);
      isOutdated = this._error.code === 'proposal_stale';
    } finally {
      this._end();
    }
    if (isOutdated) {
      await this.check('It was not promoted: it had changed since it was checked. Look again.');
    }
  }

  /** The id of the cell that a finding is about, also where the cell has moved since. */
  cellOf(finding: Finding): string | null {
    return finding.cell === null ? null : (this._cells[finding.cell - 1] ?? null);
  }

  dispose(): void {
    if (!this._isDisposed) {
      this._isDisposed = true;
      this._comparison.dispose();
      Signal.clearData(this);
    }
  }

  private _place(): NotebookPlace {
    const isTyped = this._name !== null && nameProblem(this._name) === '';
    const guess = pipelineOf(this.path);
    const checked = this._proposal?.pipeline;
    // A name that the file has already is left to the workspace, which knows its own rules.
    const name = isTyped ? this._name : (checked ?? (guess === stemOf(this.path) ? null : guess));
    return { path: this.path, name: name === '' ? null : name };
  }

  private _begin(activity: Activity, notice = ''): void {
    this._activity = activity;
    this._error = null;
    this._notice = notice;
    this._changed.emit();
  }

  private _end(): void {
    this._activity = null;
    if (!this._isDisposed) {
      this._changed.emit();
    }
  }

  private _onContentChanged(): void {
    void this._comparison.invoke();
  }

  private _compare(): void {
    // An edit that is undone leaves what was checked.
    const isStale = this._checked !== null && contentOf(this.panel) !== this._checked;
    if (isStale !== this._isStale) {
      this._isStale = isStale;
      this._changed.emit();
    }
  }

  private _onPathChanged(): void {
    this._proposal = null;
    this._checked = null;
    this._isStale = false;
    this._name = null;
    this._changed.emit();
  }

  private _activity: Activity | null = null;
  private _proposal: Proposal | null = null;
  private _error: ApiError | null = null;
  private _notice = '';
  private _isStale = false;
  private _checked: string | null = null;
  private readonly _comparison = new Debouncer(() => this._compare(), COMPARE_MS);
  private _promoted: VersionDetail | null = null;
  private _name: string | null = null;
  private _cells: string[] = [];
  private _isDisposed = false;
  private readonly _changed = new Signal<this, void>(this);
  private readonly _promotedNow = new Signal<this, VersionDetail>(this);
}
