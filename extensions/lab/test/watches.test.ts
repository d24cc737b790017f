import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '../src/api';
import type { Run, RunEvents, Sweep, SweepRow } from '../src/models';
import { PAGE_ROUNDS } from '../src/polling';
import { RunWatch } from '../src/runWatch';
import { SweepWatch } from '../src/sweepWatch';

const RUN: Run = {
  id: 'abc',
  pipeline: 'train',
  version: 1,
  parameters: {},
  status: 'running',
  reason: '',
  requested_by: 'edda',
  created_at: '2026-11-20T12:00:00Z',
  ended_at: null,
  attempts: []
};
const CANCELLED: Run = { ...RUN, status: 'cancelled', reason: 'Cancelled by edda.' };

function news(changes: Partial<RunEvents>): RunEvents {
  return { attempt: 1, events: [], next: 0, status: 'running', reason: '', page: null, ...changes };
}

/** A service whose run is as the test says. */
class OneRun {
  record_: Run = RUN;
  news_: RunEvents = news({});
  refusal: ApiError | null = null;

  events(): Promise<RunEvents> {
    return Promise.resolve(this.news_);
  }

  record(): Promise<Run> {
    return Promise.resolve(this.record_);
  }

  cancel(): Promise<Run> {
    return this.refusal === null ? Promise.resolve(this.record_) : Promise.reject(this.refusal);
  }
}

test('a run that is cancelled is cancelling until its end, and then settles', async () => {
  const service = new OneRun();
  const watch = new RunWatch(RUN, service);
  await watch.cancel();
  assert.equal(watch.isCancelling, true);
  service.record_ = CANCELLED;
  service.news_ = news({ status: 'cancelled', reason: CANCELLED.reason });
  await watch.follow();
  assert.deepEqual([watch.isCancelling, watch.run.status, watch.hasQuestions], [false, 'cancelled', true]);
  service.news_ = { ...service.news_, page: '/page' };
  await watch.follow();
  assert.equal(watch.hasQuestions, false);
});

test('a run that can’t be cancelled says why', async () => {
  const service = new OneRun();
  service.refusal = new ApiError('run_ended', 'The run abc has ended already.');
  const watch = new RunWatch(RUN, service);
  await watch.cancel();
  assert.equal(watch.isCancelling, false);
  assert.equal(watch.refusal?.message, 'The run abc has ended already.');
});

test('a page that does not come is not waited for without end', async () => {
  const service = new OneRun();
  service.record_ = CANCELLED;
  service.news_ = news({ status: 'cancelled' });
  const watch = new RunWatch(RUN, service);
  for (let round = 0; round <= PAGE_ROUNDS; round += 1) {
    assert.equal(watch.hasQuestions, true);
    await watch.follow();
  }
  assert.deepEqual([watch.hasQuestions, watch.waitsForPage], [false, false]);
});

test('a new attempt brings the record that says why', async () => {
  const service = new OneRun();
  const watch = new RunWatch(RUN, service);
  const lost = { number: 1, status: 'lost', reason: 'Its worker vanished.' } as const;
  service.record_ = { ...RUN, attempts: [lost] };
  service.news_ = news({ attempt: 2 });
  await watch.follow();
  assert.deepEqual(watch.run.attempts, [lost]);
});

function row(changes: Partial<SweepRow>): SweepRow {
  return {
    position: 1,
    parameters: {},
    run_id: 'abc',
    status: 'running',
    reason: '',
    duration_s: null,
    metrics: {},
    is_best: false,
    page: null,
    ...changes
  };
}

const SWEEP: Sweep = {
  id: 'sweep',
  pipeline: 'train',
  version: 1,
  varied: [],
  count: 1,
  counts: { running: 1 },
  is_open: true,
  requested_by: 'edda',
  created_at: '2026-11-20T12:00:00Z',
  cancelled_at: null,
  url: '/sweep',
  metrics: [],
  sort: 'position',
  order: 'asc',
  offset: 0,
  limit: 50,
  total: 1,
  csv_url: '/csv',
  rows: [row({})]
};

/** A service whose sweep is as the test says; its answers wait to be let go. */
class OneSweep {
  sweep_ = SWEEP;
  asked: string[] = [];
  refusal: ApiError | null = null;

  sweep(_id: string, view: { sort: string }): Promise<Sweep> {
    this.asked.push(view.sort);
    return Promise.resolve(this.sweep_);
  }

  cancelSweep(): Promise<Sweep> {
    return this.refusal === null ? Promise.resolve(this.sweep_) : Promise.reject(this.refusal);
  }

  resumeSweep(): Promise<Sweep> {
    return this.cancelSweep();
  }
}

test('a sweep is followed until its last run has a page', async () => {
  const service = new OneSweep();
  const watch = new SweepWatch(SWEEP, service);
  await watch.follow();
  assert.equal(watch.hasQuestions, true);
  service.sweep_ = { ...SWEEP, is_open: false, counts: { succeeded: 1 }, rows: [row({ status: 'succeeded' })] };
  await watch.follow();
  assert.equal(watch.hasQuestions, true);
  service.sweep_ = { ...service.sweep_, rows: [row({ status: 'succeeded', page: '/page' })] };
  await watch.follow();
  assert.equal(watch.hasQuestions, false);
});

test('a sweep that is cancelled is cancelling until all its runs have ended', async () => {
  const service = new OneSweep();
  const watch = new SweepWatch(SWEEP, service);
  await watch.cancel();
  assert.equal(watch.isCancelling, true);
  service.sweep_ = { ...SWEEP, is_open: false, counts: { cancelled: 1 } };
  await watch.follow();
  assert.equal(watch.isCancelling, false);
});

test('a sweep that can’t be cancelled says why, and goes on', async () => {
  const service = new OneSweep();
  service.refusal = new ApiError('conflict', 'Nothing is left to cancel.');
  const watch = new SweepWatch(SWEEP, service);
  await watch.cancel();
  assert.deepEqual([watch.isCancelling, watch.refusal?.message], [false, 'Nothing is left to cancel.']);
});

test('an answer to a former question is not shown', async () => {
  const service = new OneSweep();
  const watch = new SweepWatch(SWEEP, service);
  const former = watch.follow();
  service.sweep_ = { ...SWEEP, sort: 'status' };
  await watch.show({ sort: 'status', order: 'asc', offset: 0 });
  await former;
  assert.equal(watch.table?.sort, 'status');
  assert.deepEqual(service.asked, ['position', 'status']);
});
