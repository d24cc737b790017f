/** A sweep that is watched: its table, its end, and what of it is run again. */

import { asApiError, type Api, type ApiError } from './api';
import { isEnded, type Sweep, type SweepItem, type TableView } from './models';
import { PAGE_ROUNDS } from './polling';

const FIRST_VIEW: TableView = { sort: 'position', order: 'asc', offset: 0 };

export class SweepWatch {
  constructor(
    private _item: SweepItem,
    private readonly _api: Pick<Api, 'sweep' | 'cancelSweep' | 'resumeSweep'>
  ) {}

  get item(): SweepItem {
    return this._item;
  }

  /** The part of the table that is shown; `null` until it is known. */
  get table(): Sweep | null {
    return this._table;
  }

  get view(): TableView {
    return this._view;
  }

  /** Whether its end was asked for, and has not come yet. */
  get isCancelling(): boolean {
    return this._isCancelling && this._item.is_open;
  }

  get isResuming(): boolean {
    return this._isResuming;
  }

  /** Why what was asked for is not done. */
  get refusal(): ApiError | null {
    return this._refusal;
  }

  /** Rounds without news. */
  get idleRounds(): number {
    return this._idleRounds;
  }

  /** Whether there may be more to know. */
  get hasQuestions(): boolean {
    return this._table === null || this._item.is_open || this._waitsForPages;
  }

  /** Take in the news; rejects with an `ApiError`. */
  async follow(): Promise<void> {
    const view = this._view;
    const edition = this._edition;
    const table = await this._api.sweep(this._item.id, view);
    if (view !== this._view || edition !== this._edition) {
      // Something else was asked for meanwhile.
      return;
    }
    const hasNews = JSON.stringify(table) !== JSON.stringify(this._table);
    this._idleRounds = hasNews ? 0 : this._idleRounds + 1;
    this._item = table;
    this._table = table;
  }

  /** Show another part of the table, or another order. */
  async show(view: TableView): Promise<void> {
    this._view = view;
    await this._attempt(() => this.follow());
  }

  /** Ask for the end of all its runs. */
  async cancel(): Promise<void> {
    this._isCancelling = true;
    this._isCancelling = await this._change(() => this._api.cancelSweep(this._item.id));
  }

  /** Ask anew for the runs that have no result. */
  async resume(): Promise<void> {
    this._isCancelling = false;
    this._isResuming = true;
    await this._change(() => this._api.resumeSweep(this._item.id));
    this._isResuming = false;
  }

  private async _change(ask: () => Promise<Sweep>): Promise<boolean> {
    this._idleRounds = 0;
    return this._attempt(async () => {
      // A look that is under way tells how it was before.
      this._edition += 1;
      this._item = await ask();
      this._edition += 1;
      await this.follow();
    });
  }

  private async _attempt(act: () => Promise<void>): Promise<boolean> {
    this._refusal = null;
    try {
      await act();
      return true;
    } catch (error) {
      this._refusal = asApiError(error);
      return false;
    }
  }

  private get _waitsForPages(): boolean {
    const rows = this._table?.rows ?? [];
    const waits = rows.some(
      ({ status, page }) => status !== 'not_run' && isEnded(status) && page === null
    );
    return waits && this._idleRounds < PAGE_ROUNDS;
  }

  private _table: Sweep | null = null;
  private _view = FIRST_VIEW;
  private _isCancelling = false;
  private _isResuming = false;
  private _refusal: ApiError | null = null;
  private _idleRounds = 0;
  private _edition = 0;
}
