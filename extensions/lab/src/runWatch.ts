/** A run that is watched: how far it is, and its end, where somebody asks for it. */

import { asApiError, type Api, type ApiError } from './api';
import { isEnded, type Run } from './models';
import { PAGE_ROUNDS } from './polling';
import { advance, beginning, hasNews, type Progress } from './progress';

export class RunWatch {
  constructor(
    private _run: Run,
    private readonly _api: Pick<Api, 'events' | 'record' | 'cancel'>
  ) {
    this._progress = beginning(_run.status);
  }

  get run(): Run {
    return this._run;
  }

  get progress(): Progress {
    return this._progress;
  }

  /** Whether its end was asked for from here, and has not come yet. */
  get isCancelling(): boolean {
    return this._isCancelling && !isEnded(this._progress.status);
  }

  /** Why its end can't be asked for. */
  get refusal(): ApiError | null {
    return this._refusal;
  }

  /** Rounds without news. */
  get idleRounds(): number {
    return this._idleRounds;
  }

  /** Whether there may be more to know. */
  get hasQuestions(): boolean {
    return !this._hasFollowed || !isEnded(this._progress.status) || this.waitsForPage;
  }

  /** Whether it has ended, and its page may still come. */
  get waitsForPage(): boolean {
    const { status, page } = this._progress;
    return isEnded(status) && page === null && this._idleRounds < PAGE_ROUNDS;
  }

  /** Take in the news; rejects with an `ApiError`. */
  async follow(): Promise<void> {
    const before = this._progress;
    const news = await this._api.events(this._run.id, before.next);
    // Status, attempts and reason of the record are shown as well.
    if (news.status !== this._run.status || news.attempt !== before.attempt) {
      this._run = await this._api.record(this._run.id);
    }
    this._progress = advance(before, news);
    this._idleRounds = hasNews(before, news) ? 0 : this._idleRounds + 1;
    this._hasFollowed = true;
  }

  /** Ask for its end. */
  async cancel(): Promise<void> {
    this._isCancelling = true;
    this._refusal = null;
    this._idleRounds = 0;
    try {
      this._run = await this._api.cancel(this._run.id);
    } catch (error) {
      this._isCancelling = false;
      this._refusal = asApiError(error);
    }
  }

  private _progress: Progress;
  private _isCancelling = false;
  private _refusal: ApiError | null = null;
  private _idleRounds = 0;
  private _hasFollowed = false;
}
