/** The only place that asks the server. */

import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import type {
  Context,
  Json,
  Listing,
  NewSweep,
  Proposal,
  Run,
  RunEvents,
  Sweep,
  SweepItem,
  SweepPreview,
  TableView,
  VersionDetail,
  VersionEntry
} from './models';

/** The server half has a deadline of its own; this one is for when it is gone itself. */
const TIMEOUT_MS = 60_000;

/** A refusal, with a sentence for the person. */
export class ApiError extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly detail: Readonly<Record<string, unknown>> = {}
  ) {
    super(message);
  }

  /** The parameter that the refusal is about, if any. */
  get parameter(): string | null {
    const { parameter } = this.detail;
    return typeof parameter === 'string' ? parameter : null;
  }
}

export interface NotebookPlace {
  path: string;
  /** The pipeline's name; `null` leaves it to the workspace. */
  name: string | null;
}

/** What may be asked; each rejects with an `ApiError`. */
export class Api {
  constructor(private readonly _settings: ServerConnection.ISettings) {}

  context(): Promise<Context> {
    return this._get('context');
  }

  propose(notebook: NotebookPlace, hash: string | null): Promise<Proposal> {
    return this._post('proposals', { ...notebook, hash });
  }

  promote(notebook: NotebookPlace, digest: string): Promise<VersionDetail> {
    return this._post('versions', { ...notebook, digest });
  }

  versions(pipeline: string): Promise<Listing<VersionEntry>> {
    return this._get('versions', { pipeline });
  }

  version(pipeline: string, number: number): Promise<VersionDetail> {
    return this._get(`versions/${encodeURIComponent(pipeline)}/${number}`);
  }

  /** The runs that are of no sweep. */
  runs(pipeline: string): Promise<Listing<Run>> {
    return this._get('runs', { pipeline });
  }

  run(pipeline: string, version: number, parameters: Record<string, Json>): Promise<Run> {
    return this._post('runs', { pipeline, version, parameters });
  }

  /** The record of a run as it is now. */
  record(runId: string): Promise<Run> {
    return this._get(`runs/${encodeURIComponent(runId)}`);
  }

  cancel(runId: string): Promise<Run> {
    return this._post(`runs/${encodeURIComponent(runId)}/cancel`, {});
  }

  events(runId: string, after: number): Promise<RunEvents> {
    return this._get(`runs/${encodeURIComponent(runId)}/events`, { after: String(after) });
  }

  sweeps(pipeline: string): Promise<Listing<SweepItem>> {
    return this._get('sweeps', { pipeline });
  }

  /** How many runs a sweep would have; makes nothing. */
  previewSweep(sweep: NewSweep): Promise<SweepPreview> {
    return this._post('sweeps/preview', sweep);
  }

  startSweep(sweep: NewSweep): Promise<Sweep> {
    return this._post('sweeps', sweep);
  }

  sweep(id: string, view: TableView): Promise<Sweep> {
    const query = { sort: view.sort, order: view.order, offset: String(view.offset) };
    return this._get(`sweeps/${encodeURIComponent(id)}`, query);
  }

  cancelSweep(id: string): Promise<Sweep> {
    return this._post(`sweeps/${encodeURIComponent(id)}/cancel`, {});
  }

  /** Ask anew for the runs that have failed, were cancelled, or are missing. */
  resumeSweep(id: string): Promise<Sweep> {
    return this._post(`sweeps/${encodeURIComponent(id)}/resume`, {});
  }

  private _get<T>(path: string, query: Record<string, string> = {}): Promise<T> {
    return this._ask<T>(path + URLExt.objectToQueryString(query), { method: 'GET' });
  }

  private _post<T>(path: string, body: object): Promise<T> {
    return this._ask<T>(path, { method: 'POST', body: JSON.stringify(body) });
  }

  private async _ask<T>(path: string, init: RequestInit): Promise<T> {
    const url = URLExt.join(this._settings.baseUrl, 'nb2prod/api', path);
    let response: Response;
    let text: string;
    try {
      response = await ServerConnection.makeRequest(
        url,
        { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) },
        this._settings
      );
      text = await response.text();
    } catch {
      throw new ApiError(
        'server_unreachable',
        'Your Jupyter server does not answer. Check your connection, and that it still runs.'
      );
    }
    const body = parsed(text);
    if (!response.ok) {
      throw refusal(response, body);
    }
    return body as T;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text, withAllDigits) as unknown;
  } catch {
    return undefined;
  }
}

/** A whole number beyond 2^53 stays the text that it is, where the browser tells it. */
function withAllDigits(_key: string, value: unknown, context?: { source?: string }): unknown {
  return Number.isInteger(value) && !Number.isSafeInteger(value) ? (context?.source ?? value) : value;
}

function refusal(response: Response, body: unknown): ApiError {
  if (typeof body === 'object' && body !== null && 'code' in body && 'message' in body) {
    const detail = 'detail' in body && typeof body.detail === 'object' ? body.detail : null;
    return new ApiError(String(body.code), String(body.message), { ...detail });
  }
  return new ApiError(
    'unknown',
    response.status === 404
      ? 'The server half of this extension is not running. Restart your Jupyter server.'
      : `Your Jupyter server answered with status ${response.status}. Try again.`
  );
}

/** Any failure as an `ApiError`. */
export function asApiError(error: unknown): ApiError {
  return error instanceof ApiError
    ? error
    : new ApiError('unexpected', error instanceof Error ? error.message : String(error));
}
