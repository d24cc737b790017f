/** One pipeline: its versions, the form of one of them, its runs, and the run that is watched. */

import { Poll } from '@lumino/polling';
import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';
import { asApiError, type Api, type ApiError } from './api';
import { isEnded, type Run, type VersionDetail, type VersionEntry } from './models';
import {
  carriedDrafts,
  changedValues,
  problemsOf,
  type Draft,
  type Drafts
} from './parameters';
import {
  ERROR_INTERVAL_MS,
  FIRST_INTERVAL_MS,
  nextInterval,
  PAGE_ROUNDS
} from './polling';
import { advance, beginning, type Progress } from './progress';

/** Rounds between two looks at the list, while a run in it goes on that is not watched. */
const LIST_ROUNDS = 5;

export class PipelineSession implements IDisposable {
  constructor(
    readonly pipeline: string,
    private readonly _api: Api
  ) {
    this._poll = new Poll({
      auto: false,
      name: `nb2prod-lab:runs-of-${pipeline}`,
      factory: () => this._round(),
      frequency: { interval: FIRST_INTERVAL_MS, backoff: 2, max: ERROR_INTERVAL_MS },
      standby: 'when-hidden'
    });
    this._poll.ticked.connect(this._onTick, this);
  }

  /** Emitted when anything here is new. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Newest first; `null` until they are known. */
  get versions(): readonly VersionEntry[] | null {
    return this._versions;
  }

  /** The version of the form. */
  get selected(): VersionDetail | null {
    return this._selected;
  }

  get drafts(): Drafts {
    return this._drafts;
  }

  /** What is wrong with the form, by parameter: what is seen here, and what the workspace said. */
  get problems(): Readonly<Record<string, string>> {
    const seen = problemsOf(this._selected?.parameters ?? [], this._drafts);
    return { ...this._refusals, ...seen };
  }

  get runs(): readonly Run[] | null {
    return this._runs;
  }

  get watched(): Run | null {
    return this._watched;
  }

  get progress(): Progress | null {
    return this._progress;
  }

  /** Whether the watched run was chosen by the person, or started; else it is just the newest. */
  get isChosen(): boolean {
    return this._isChosen;
  }

  get isLoading(): boolean {
    return this._isLoading;
  }

  get isStarting(): boolean {
    return this._isStarting;
  }

  get error(): ApiError | null {
    return this._error;
  }

  /** Why the last look at the runs failed; it is tried again by itself. */
  get interruption(): ApiError | null {
    return this._interruption;
  }

  get isDisposed(): boolean {
    return this._poll.isDisposed;
  }

  /** Details of a version that are known already. */
  detail(number: number): VersionDetail | null {
    return this._details.get(number) ?? null;
  }

  /** Ask for everything anew; the version of the form stays, if it is still there. */
  async load(): Promise<void> {
    this._isLoading = true;
    this._error = null;
    this._changed.emit();
    try {
      const [versions, runs] = await Promise.all([
        this._listVersions(),
        this._api.runs(this.pipeline)
      ]);
      this._versions = versions;
      const newest = versions[0];
      if (newest !== undefined && this._selected === null) {
        await this._show(newest.number);
      }
      await this._setRuns(runs.items);
      this._watchSomething();
    } catch (error) {
      this._error = asApiError(error);
    } finally {
      this._isLoading = false;
      this._changed.emit();
    }
    this._resume();
  }

  /** Choose the version of the form. */
  async select(number: number): Promise<void> {
    try {
      await this._show(number);
      this._error = null;
    } catch (error) {
      this._error = asApiError(error);
    }
    this._changed.emit();
  }

  /** Take up a version that was just made. */
  async addVersion(version: VersionDetail): Promise<void> {
    this._details.set(version.number, version);
    await this.select(version.number);
    await this.load();
  }

  setDraft(name: string, draft: Draft): void {
    this._drafts = { ...this._drafts, [name]: draft };
    this._refusals = {};
    this._changed.emit();
  }

  resetDrafts(): void {
    this._drafts = {};
    this._refusals = {};
    this._changed.emit();
  }

  /** Ask for a run of the chosen version with the form's values, and watch it. */
  async start(): Promise<void> {
    const version = this._selected;
    if (version === null || this._isStarting || Object.keys(this.problems).length > 0) {
      return;
    }
    this._isStarting = true;
    this._error = null;
    this._changed.emit();
    try {
      const values = changedValues(version.parameters, this._drafts);
      const run = await this._api.run(this.pipeline, version.number, values);
      this._runs = [run, ...(this._runs ?? [])];
      this.watch(run);
    } catch (error) {
      const refusal = asApiError(error);
      if (refusal.parameter === null) {
        this._error = refusal;
      } else {
        this._refusals = { [refusal.parameter]: refusal.message };
      }
    } finally {
      this._isStarting = false;
      this._changed.emit();
    }
  }

  /** Follow a run, from its beginning. */
  watch(run: Run): void {
    this._watched = run;
    this._isChosen = true;
    this._progress = beginning(run.status);
    this._idleRounds = 0;
    this._hasFollowed = false;
    this._changed.emit();
    this._resume();
  }

  /** Begin or stop to ask by itself: nobody pays for a panel that is closed. */
  setActive(isActive: boolean): void {
    this._isActive = isActive;
    if (isActive) {
      void this.load();
    } else {
      void this._poll.stop();
    }
  }

  dispose(): void {
    if (!this.isDisposed) {
      this._poll.dispose();
      Signal.clearData(this);
    }
  }

  private async _listVersions(): Promise<VersionEntry[]> {
    try {
      return (await this._api.versions(this.pipeline)).items;
    } catch (error) {
      if (asApiError(error).code === 'pipeline_not_found') {
        return [];
      }
      throw error;
    }
  }

  private async _show(number: number): Promise<void> {
    const version = await this._loadDetail(number);
    this._drafts = carriedDrafts(
      this._selected?.parameters ?? [],
      version.parameters,
      this._drafts
    );
    this._refusals = {};
    this._selected = version;
  }

  private async _loadDetail(number: number): Promise<VersionDetail> {
    const known = this._details.get(number);
    const version = known ?? (await this._api.version(this.pipeline, number));
    this._details.set(number, version);
    return version;
  }

  private async _setRuns(runs: Run[]): Promise<void> {
    // Their parameters are shown against the defaults of their own version.
    await Promise.all([...new Set(runs.map(run => run.version))].map(n => this._loadDetail(n)));
    this._runs = runs;
    this._watched = runs.find(run => run.id === this._watched?.id) ?? this._watched;
  }

  private _watchSomething(): void {
    const newest = this._runs?.find(run => !isEnded(run.status)) ?? this._runs?.[0];
    if (this._watched === null && newest !== undefined) {
      this._watched = newest;
      this._progress = beginning(newest.status);
    }
  }

  private _resume(): void {
    if (this._isActive && this._hasQuestions()) {
      this._poll.frequency = { ...this._poll.frequency, interval: FIRST_INTERVAL_MS };
      void this._poll.refresh();
    }
  }

  private _hasQuestions(): boolean {
    return this._isWatching() || this._hasOthersRunning();
  }

  private _isWatching(): boolean {
    if (this._watched === null || this._progress === null) {
      return false;
    }
    const waitsForPage = this._progress.page === null && this._idleRounds < PAGE_ROUNDS;
    return !isEnded(this._progress.status) || waitsForPage || !this._hasFollowed;
  }

  private _hasOthersRunning(): boolean {
    return (this._runs ?? []).some(
      run => run.id !== this._watched?.id && !isEnded(run.status)
    );
  }

  private async _round(): Promise<void> {
    this._rounds += 1;
    let hasEnded = false;
    if (this._isWatching()) {
      hasEnded = await this._follow();
    }
    if (hasEnded || (this._hasOthersRunning() && this._rounds % LIST_ROUNDS === 0)) {
      await this._setRuns((await this._api.runs(this.pipeline)).items);
    }
    this._changed.emit();
  }

  /** Take in the watched run's news; true where it has just ended. */
  private async _follow(): Promise<boolean> {
    const { _watched: run, _progress: before } = this;
    if (run === null || before === null) {
      return false;
    }
    const news = await this._api.events(run.id, before.next);
    if (this._watched?.id !== run.id || this._progress !== before) {
      // Another run was chosen meanwhile.
      return false;
    }
    const hasNews = news.events.length > 0 || news.status !== before.status;
    this._idleRounds = hasNews ? 0 : this._idleRounds + 1;
    this._progress = advance(before, news);
    this._hasFollowed = true;
    return isEnded(news.status) && !isEnded(run.status);
  }

  private _onTick(): void {
    const { phase, payload } = this._poll.state;
    const interruption = phase === 'rejected' ? asApiError(payload) : null;
    if (interruption?.message !== this._interruption?.message) {
      this._interruption = interruption;
      this._changed.emit();
    }
    if (phase === 'resolved') {
      if (!this._hasQuestions()) {
        void this._poll.stop();
        return;
      }
      const interval = nextInterval(this._idleRounds);
      if (interval !== this._poll.frequency.interval) {
        this._poll.frequency = { ...this._poll.frequency, interval };
      }
    }
  }

  private _versions: readonly VersionEntry[] | null = null;
  private _selected: VersionDetail | null = null;
  private _drafts: Drafts = {};
  private _refusals: Readonly<Record<string, string>> = {};
  private _runs: readonly Run[] | null = null;
  private _watched: Run | null = null;
  private _progress: Progress | null = null;
  private _isChosen = false;
  private _isLoading = false;
  private _isStarting = false;
  private _isActive = false;
  private _idleRounds = 0;
  private _hasFollowed = false;
  private _rounds = 0;
  private _error: ApiError | null = null;
  private _interruption: ApiError | null = null;
  private readonly _details = new Map<number, VersionDetail>();
  private readonly _poll: Poll<void, unknown>;
  private readonly _changed = new Signal<this, void>(this);
}
