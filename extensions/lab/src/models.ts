/** What the server half answers with; the fields are those of the workspace's API. */

export type Role = 'viewer' | 'editor' | 'owner';
export type Severity = 'blocking' | 'warning' | 'note';

export interface NoWorkspace {
  is_available: false;
  message: string;
}

export interface Workspace {
  is_available: true;
  project: string;
  title: string;
  role: Role;
  person: string;
  /** Scheme and host of the gallery's pages; empty where they are this page's own. */
  public_url: string;
}

export type Context = NoWorkspace | Workspace;

export interface Finding {
  code: string;
  severity: Severity;
  message: string;
  way_out: string;
  /** Counts all cells, from 1. */
  cell: number | null;
  /** Counts in the cell, from 1. */
  line: number | null;
  /** The author's reason for which it does not count; absent or null where it counts. */
  silenced_because?: string | null;
}

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export interface Parameter {
  name: string;
  /**
   * `int`, `float`, `bool`, `str`, `date`, `datetime`, `path`, `list`, `dict`, or one that this
   * version does not know.
   */
  type: string;
  default: Json;
  help: string;
  /** Empty where any value will do. */
  choices: Json[];
  is_optional: boolean;
  item_type: string | null;
  /** A number; of dates ISO 8601 text. */
  minimum: number | string | null;
  maximum: number | string | null;
}

export interface Proposal {
  pipeline: string;
  reference: string;
  former: string | null;
  is_unchanged: boolean;
  is_blocked: boolean;
  digest: string;
  findings: Finding[];
  parameters: Parameter[];
  script: string;
  diff: string;
}

export interface VersionEntry {
  pipeline: string;
  number: number;
  reference: string;
  author: string;
  created_at: string;
}

export interface VersionDetail extends VersionEntry {
  parameters: Parameter[];
}

export type RunStatus =
  | 'queued'
  | 'running'
  | 'succeeded'
  | 'failed'
  | 'timed_out'
  | 'cancelled'
  | 'kernel_died'
  | 'lost';

/** A failure that was tried again. */
export interface Attempt {
  /** From 1. */
  number: number;
  status: RunStatus;
  reason: string;
}

export interface Run {
  id: string;
  pipeline: string;
  version: number;
  parameters: Record<string, Json>;
  status: RunStatus;
  reason: string;
  requested_by: string;
  created_at: string;
  ended_at: string | null;
  /** Oldest first. */
  attempts: Attempt[];
}

export interface RunEvent {
  kind: string;
  text: string;
  /** Place of the cell among the code cells, from 1. */
  position: number | null;
  /** Number of code cells. */
  total: number | null;
  /** The last heading before the cell. */
  heading: string;
  /** `stdout` or `stderr`; null for what is shown rather than printed. */
  stream: string | null;
}

export interface RunEvents {
  /** Which attempt they are of, from 1. */
  attempt: number;
  events: RunEvent[];
  /** What to ask for next. */
  next: number;
  status: RunStatus;
  reason: string;
  /** Path of the run's page, once there is one. */
  page: string | null;
}

export interface Listing<T> {
  items: T[];
}

/** What is asked for: several values as people write them, or a list of values. */
export type Axis = string | Json[];

export interface NewSweep {
  pipeline: string;
  version: number;
  axes: Record<string, Axis>;
}

/** What a sweep would make. */
export interface SweepPreview {
  count: number;
  /** The parameters that have several values. */
  varied: string[];
}

/** A run of a sweep may not have been asked for yet. */
export type RowStatus = RunStatus | 'not_run';

export interface SweepItem {
  id: string;
  pipeline: string;
  version: number;
  varied: string[];
  count: number;
  /** Only those that occur. */
  counts: Partial<Record<RowStatus, number>>;
  /** Whether something waits or goes on. */
  is_open: boolean;
  requested_by: string;
  created_at: string;
  cancelled_at: string | null;
  /** Path of its page. */
  url: string;
}

export interface SweepRow {
  position: number;
  parameters: Record<string, Json>;
  /** `null` where it was not asked for yet. */
  run_id: string | null;
  status: RowStatus;
  reason: string;
  duration_s: number | null;
  metrics: Record<string, number | null>;
  is_best: boolean;
  /** Path of the run's page, once there is one. */
  page: string | null;
}

export interface Sweep extends SweepItem {
  /** Names of all metrics, the main one first. */
  metrics: string[];
  sort: string;
  order: SortOrder;
  offset: number;
  limit: number;
  total: number;
  csv_url: string;
  rows: SweepRow[];
}

export type SortOrder = 'asc' | 'desc';

/** Which part of a sweep's table is shown. */
export interface TableView {
  /** `position`, `status`, `duration`, `parameter:NAME` or `metric:NAME`. */
  sort: string;
  order: SortOrder;
  offset: number;
}

/** Whether a run has come to its end. */
export function isEnded(status: RunStatus): boolean {
  return status !== 'queued' && status !== 'running';
}
