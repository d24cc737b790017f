/** One pipeline: its versions, the form of one of them, its runs, and what of them is watched. */

import { Poll } from '@lumino/polling';
import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';
import { asApiError, type Api, type ApiError } from './api';
import { entriesOf, idOf, isOpen, type Entry } from './entries';
import { FormSession } from './formSession';
import { isEnded, type Run, type SweepItem, type VersionDetail, type VersionEntry } from './models';
import { ERROR_INTERVAL_MS, FIRST_INTERVAL_MS, LIST_ROUNDS, nextInterval } from './polling';
import { RunWatch } from './runWatch';
import { SweepWatch } from './sweepWatch';

export class PipelineSession implements IDisposable {
  constructor(
    readonly pipeline: string,
    private readonly _api: Api
  ) {
    this.form = new FormSession(_api);
    this.form.changed.connect(() => this._changed.emit());
    this._poll = new Poll({
      auto: false,
      name: `nb2prod-lab:runs-of-${pipeline}`,
      factory: () => this._round(),
      frequency: { interval: FIRST_INTERVAL_MS, backoff: 2, max: ERROR_INTERVAL_MS },
      standby: 'when-hidden'
    });
    this._poll.ticked.connect(this._onTick, this);
  }

  readonly form: FormSession;

  /** Emitted when anything here is new. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Newest first; `null` until they are known. */
  get versions(): readonly VersionEntry[] | null {
    return this._versions;
  }

  /** Runs and sweeps, newest first; `null` until they are known. */
  get entries(): readonly Entry[] | null {
    return this._entries;
  }

  /** The run that is watched. */
  get run(): RunWatch | null {
    return this._run;
  }

  /** The sweep that is watched; the run may be one of its. */
  get sweep(): SweepWatch | null {
    return this._sweep;
  }

  /** Whether what is watched was chosen by the person, or started; else it is just the newest. */
  get isChosen(): boolean {
    return this._isChosen;
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
    this._error = null;
    this._changed.emit();
    try {
      const [versions] = await Promise.all([this._listVersions(), this._loadEntries()]);
      this._versions = versions;
      const newest = versions[0];
      if (newest !== undefined && this.form.version === null) {
        this.form.show(await this._loadDetail(newest.number));
      }
      this._watchSomething();
    } catch (error) {
      this._error = asApiError(error);
    } finally {
      this._changed.emit();
    }
    this._resume();
  }

  /** Choose the version of the form. */
  async select(number: number): Promise<void> {
    await this._attempt(async () => this.form.show(await this._loadDetail(number)));
  }

  /** Take up a version that was just made. */
  async addVersion(version: VersionDetail): Promise<void> {
    this._details.set(version.number, version);
    await this.select(version.number);
    await this.load();
  }

  /** Fill the form with a run's version and values; nothing is started. */
  async fillFrom(run: Run): Promise<void> {
    await this._attempt(async () =>
      this.form.fill(await this._loadDetail(run.version), run.parameters)
    );
  }

  /** Ask for what the form says, a run or a sweep, and watch it. */
  async start(): Promise<void> {
    const { form } = this;
    if (form.version === null || this._isStarting || form.hasProblems) {
      return;
    }
    this._isStarting = true;
    this._error = null;
    this._changed.emit();
    try {
      if (form.isSweep) {
        this.watchSweep(await this._api.startSweep(form.sweep()));
      } else {
        const { number } = form.version;
        this.watch(await this._api.run(this.pipeline, number, form.values()));
      }
      await this._loadEntries();
    } catch (error) {
      form.refuse(asApiError(error));
    } finally {
      this._isStarting = false;
      this._changed.emit();
    }
  }

  /** Follow a run, from its beginning; it is of no sweep. */
  watch(run: Run): void {
    this._sweep = null;
    this._follow(new RunWatch(run, this._api));
  }

  /** Follow a sweep. */
  watchSweep(sweep: SweepItem): void {
    this._sweep = new SweepWatch(sweep, this._api);
    this._follow(null);
  }

  /** Follow a run of the sweep that is watched. */
  async watchRunOfSweep(id: string): Promise<void> {
    const { _sweep: sweep } = this;
    await this._attempt(async () => {
      const run = await this._api.record(id);
      if (sweep === this._sweep) {
        this._follow(new RunWatch(run, this._api));
      }
    });
  }

  /** Change something about what is watched, as by asking for its end, and look at it again. */
  async change(act: () => Promise<void>): Promise<void> {
    const change = act();
    this._changed.emit();
    await change;
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
      this.form.dispose();
      Signal.clearData(this);
    }
  }

  private async _attempt(act: () => Promise<void>): Promise<void> {
    this._error = null;
    try {
      await act();
    } catch (error) {
      this._error = asApiError(error);
    }
    this._changed.emit();
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

  private async _loadDetail(number: number): Promise<VersionDetail> {
    const known = this._details.get(number);
    const version = known ?? (await this._api.version(this.pipeline, number));
    this._details.set(number, version);
    return version;
  }

  private async _loadEntries(): Promise<void> {
    const [runs, sweeps] = await Promise.all([
      this._api.runs(this.pipeline),
      this._api.sweeps(this.pipeline)
    ]);
    const entries = entriesOf(runs.items, sweeps.items);
    // Their parameters are shown against the defaults of their own version.
    const shown = entries.flatMap(entry => (entry.kind === 'run' ? [entry.run.version] : []));
    await Promise.all([...new Set(shown)].map(number => this._loadDetail(number)));
    this._entries = entries;
  }

  private _watchSomething(): void {
    const newest = this._entries?.find(isOpen) ?? this._entries?.[0];
    if (this._run !== null || this._sweep !== null || newest === undefined) {
      return;
    }
    if (newest.kind === 'run') {
      this._run = new RunWatch(newest.run, this._api);
    } else {
      this._sweep = new SweepWatch(newest.sweep, this._api);
    }
  }

  private _follow(run: RunWatch | null): void {
    this._run = run;
    this._isChosen = true;
    this._changed.emit();
    this._resume();
  }

  private _resume(): void {
    if (this._isActive && this._hasQuestions()) {
      this._poll.frequency = { ...this._poll.frequency, interval: FIRST_INTERVAL_MS };
      void this._poll.refresh();
    }
  }

  private _hasQuestions(): boolean {
    return (
      this._run?.hasQuestions === true || this._sweep?.hasQuestions === true || this._hasOthersOpen()
    );
  }

  private _hasOthersOpen(): boolean {
    const watched = [this._run?.run.id, this._sweep?.item.id];
    return (this._entries ?? []).some(entry => isOpen(entry) && !watched.includes(idOf(entry)));
  }

  private async _round(): Promise<void> {
    this._rounds += 1;
    const { _run: run, _sweep: sweep } = this;
    const wasOpen = this._isWatchedOpen();
    // Two questions at once where both have news; a failure of one is not hidden by the other.
    await Promise.all([
      run?.hasQuestions === true ? run.follow() : null,
      sweep?.hasQuestions === true ? sweep.follow() : null
    ]);
    const hasEnded = wasOpen && !this._isWatchedOpen();
    if (hasEnded || (this._hasOthersOpen() && this._rounds % LIST_ROUNDS === 0)) {
      await this._loadEntries();
    }
    this._changed.emit();
  }

  private _isWatchedOpen(): boolean {
    const isRunOpen = this._run !== null && !isEnded(this._run.progress.status);
    return isRunOpen || this._sweep?.item.is_open === true;
  }

  private _idleRounds(): number {
    const rounds = [this._run, this._sweep].flatMap(watch =>
      watch?.hasQuestions === true ? [watch.idleRounds] : []
    );
    return rounds.length === 0 ? 0 : Math.min(...rounds);
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
      const interval = nextInterval(this._idleRounds());
      if (interval !== this._poll.frequency.interval) {
        this._poll.frequency = { ...this._poll.frequency, interval };
      }
    }
  }

  private _versions: readonly VersionEntry[] | null = null;
  private _entries: readonly Entry[] | null = null;
  private _run: RunWatch | null = null;
  private _sweep: SweepWatch | null = null;
  private _isChosen = false;
  private _isStarting = false;
  private _isActive = false;
  private _rounds = 0;
  private _error: ApiError | null = null;
  private _interruption: ApiError | null = null;
  private readonly _details = new Map<number, VersionDetail>();
  private readonly _poll: Poll<void, unknown>;
  private readonly _changed = new Signal<this, void>(this);
}
