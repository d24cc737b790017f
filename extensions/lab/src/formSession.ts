/** The form of one version: the values of a run, or the several values of a sweep. */

import type { IDisposable } from '@lumino/disposable';
import { Debouncer } from '@lumino/polling';
import { Signal, type ISignal } from '@lumino/signaling';
import { asApiError, type Api, type ApiError } from './api';
import type { Json, NewSweep, Parameter, SweepPreview, VersionDetail } from './models';
import {
  carriedDrafts,
  changedValues,
  draftsOf,
  isTouched,
  problemsOf,
  type Draft,
  type Drafts
} from './parameters';
import { axesOf, sweepProblems, type SweepDrafts } from './sweepValues';

/** Pause in typing after which the runs of a sweep are counted. */
const COUNT_MS = 400;

export class FormSession implements IDisposable {
  constructor(private readonly _api: Pick<Api, 'previewSweep'>) {}

  /** Emitted when anything here is new. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get version(): VersionDetail | null {
    return this._version;
  }

  get drafts(): Drafts {
    return this._drafts;
  }

  get sweepDrafts(): SweepDrafts {
    return this._sweepDrafts;
  }

  /** Whether it is for a sweep. */
  get isSweep(): boolean {
    return this._isSweep;
  }

  /** How many runs the sweep would have; `null` while that is not known. */
  get preview(): SweepPreview | null {
    return this._preview;
  }

  /** What the workspace has against it that is no single field's fault. */
  get refusal(): ApiError | null {
    return this._refusal;
  }

  /** What is wrong, by parameter: what is seen here, and what the workspace said. */
  get problems(): Readonly<Record<string, string>> {
    const seen = this._isSweep
      ? sweepProblems(this._parameters, this._drafts, this._sweepDrafts)
      : problemsOf(this._parameters, this._drafts);
    return { ...this._refusals, ...seen };
  }

  get hasProblems(): boolean {
    return Object.keys(this.problems).length > 0;
  }

  /** Whether anything differs from the defaults. */
  get hasChanges(): boolean {
    const isSwept = this._isSweep && Object.keys(this._sweepDrafts).length > 0;
    return isSwept || this._parameters.some(parameter => isTouched(parameter, this._drafts));
  }

  /** Whether no parameter of the sweep has been given values. */
  get isEmptySweep(): boolean {
    return !this.hasProblems && Object.keys(this.sweep().axes).length === 0;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Show a version; what was put in stays, where it still means something. */
  show(version: VersionDetail): void {
    const before = this._parameters;
    this._version = version;
    this._drafts = carriedDrafts(before, version.parameters, this._drafts);
    const names = new Set(version.parameters.map(parameter => parameter.name));
    this._sweepDrafts = Object.fromEntries(
      Object.entries(this._sweepDrafts).filter(([name]) => names.has(name))
    );
    this._touch();
  }

  /** Show a version with the values of a run of it. */
  fill(version: VersionDetail, values: Readonly<Record<string, Json>>): void {
    this._version = version;
    this._isSweep = false;
    this._drafts = draftsOf(version.parameters, values);
    this._sweepDrafts = {};
    this._touch();
  }

  setDraft(name: string, draft: Draft): void {
    this._drafts = { ...this._drafts, [name]: draft };
    this._touch();
  }

  setSweepDraft(name: string, text: string): void {
    this._sweepDrafts = { ...this._sweepDrafts, [name]: text };
    this._touch();
  }

  setSweep(isSweep: boolean): void {
    this._isSweep = isSweep;
    this._touch();
  }

  reset(): void {
    this._drafts = {};
    this._sweepDrafts = {};
    this._touch();
  }

  /** The values of a run; throws `InvalidValue` where a field has none. */
  values(): Record<string, Json> {
    return changedValues(this._parameters, this._drafts);
  }

  /** The sweep as it is asked for; throws `InvalidValue` where a field has no value. */
  sweep(): NewSweep {
    const axes = axesOf(this._parameters, this._drafts, this._sweepDrafts);
    return { pipeline: this._version?.pipeline ?? '', version: this._version?.number ?? 0, axes };
  }

  /** Show a refusal at its field, or by the button. */
  refuse(error: ApiError): void {
    const { parameter } = error;
    if (this._parameters.some(({ name }) => name === parameter) && parameter !== null) {
      this._refusals = { [parameter]: error.message };
    } else {
      this._refusal = error;
    }
    this._changed.emit();
  }

  dispose(): void {
    if (!this._isDisposed) {
      this._isDisposed = true;
      this._counting.dispose();
      Signal.clearData(this);
    }
  }

  private get _parameters(): readonly Parameter[] {
    return this._version?.parameters ?? [];
  }

  /** Something was put in: what was said of the former content means nothing any more. */
  private _touch(): void {
    this._refusals = {};
    this._refusal = null;
    this._preview = null;
    this._edition += 1;
    if (this._isSweep && !this.hasProblems && !this.isEmptySweep) {
      void this._counting.invoke();
    }
    this._changed.emit();
  }

  private async _count(): Promise<void> {
    const edition = this._edition;
    if (!this._isSweep || this.hasProblems || this.isEmptySweep) {
      return;
    }
    try {
      const preview = await this._api.previewSweep(this.sweep());
      if (edition === this._edition) {
        this._preview = preview;
        this._changed.emit();
      }
    } catch (error) {
      if (edition === this._edition) {
        this.refuse(asApiError(error));
      }
    }
  }

  private _version: VersionDetail | null = null;
  private _drafts: Drafts = {};
  private _sweepDrafts: SweepDrafts = {};
  private _isSweep = false;
  private _preview: SweepPreview | null = null;
  private _refusals: Readonly<Record<string, string>> = {};
  private _refusal: ApiError | null = null;
  /** Counts what was put in, so that an answer that comes late is not shown. */
  private _edition = 0;
  private _isDisposed = false;
  private readonly _counting = new Debouncer(() => this._count(), COUNT_MS);
  private readonly _changed = new Signal<this, void>(this);
}
