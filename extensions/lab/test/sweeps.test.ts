import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attemptsText } from '../src/attempts';
import { countsText, ended, entriesOf, failures, idOf, isOpen, missing, runsText, statusOf } from '../src/entries';
import type { Parameter, Run, RunStatus, Sweep, SweepItem, SweepRow } from '../src/models';
import { columnsOf, metricsLeftOut, numberText, sortedBy } from '../src/sweepColumns';
import { axesOf, optionsOf, sweepFieldKind, sweepProblems, sweepText } from '../src/sweepValues';

function make(changes: Partial<Parameter>): Parameter {
  return {
    name: 'alpha',
    type: 'float',
    default: 0.2,
    help: '',
    choices: [],
    is_optional: false,
    item_type: null,
    minimum: null,
    maximum: null,
    ...changes
  };
}

const MARKET = make({ name: 'market', type: 'str', default: 'a', choices: ['a', 'b', 'c'] });
const DAYS = make({ name: 'days', type: 'list', default: [7] });
const FINAL = make({ name: 'is_final', type: 'bool', default: false });

const KINDS: [string, Parameter, string][] = [
  ['a number', make({}), 'text'],
  ['a text', make({ type: 'str', default: 'x' }), 'text'],
  ['a date', make({ type: 'date', default: '2026-01-31' }), 'text'],
  ['a choice', MARKET, 'options'],
  ['a bool', FINAL, 'options'],
  ['a list', DAYS, 'lines'],
  ['some of a few', make({ type: 'list', default: ['a'], choices: ['a', 'b'] }), 'single'],
  ['a text of several lines', make({ type: 'str', default: 'a\nb' }), 'single']
];

for (const [what, parameter, kind] of KINDS) {
  test(`sweep’s field of ${what} is ${kind}`, () => {
    assert.equal(sweepFieldKind(parameter), kind);
  });
}

test('options of a parameter that may be none have it last', () => {
  assert.deepEqual(optionsOf(make({ type: 'bool', default: true, is_optional: true })), [true, false, null]);
  assert.deepEqual(optionsOf(MARKET), ['a', 'b', 'c']);
});

test('axes are texts as people write them, and lists of what was chosen', () => {
  const drafts = { days: { text: '[14]', isNone: false } };
  const written = { alpha: '0.1..0.5 step 0.1', market: '["a","c"]' };
  assert.deepEqual(axesOf([make({}), MARKET, DAYS, FINAL], drafts, written), {
    alpha: '0.1..0.5 step 0.1',
    market: ['a', 'c'],
    days: [[14]]
  });
});

test('an empty field of a sweep has the value of the form of a run', () => {
  assert.deepEqual(axesOf([make({})], {}, { alpha: ' ' }), {});
  const changed = { alpha: { text: '0.9', isNone: false } };
  assert.deepEqual(axesOf([make({})], changed, { alpha: '' }), { alpha: [0.9] });
});

test('lists are one on a line, or one over several lines', () => {
  assert.deepEqual(axesOf([DAYS], {}, { days: '[7]\n\n[7, 28]\n' }), { days: [[7], [7, 28]] });
  assert.deepEqual(axesOf([DAYS], {}, { days: '[\n7\n]' }), { days: [[7]] });
});

test('what can’t be read in a sweep’s field is said at it', () => {
  assert.deepEqual(sweepProblems([MARKET, DAYS, make({})], {}, { market: '[]', days: '[7]\n[8', alpha: '1..' }), {
    market: 'Choose at least one.',
    days: 'Write it as JSON, as in ["a", "b"].'
  });
});

test('fields of a sweep begin with the values of the form of a run', () => {
  const drafts = { market: { text: '"b"', isNone: false } };
  assert.equal(sweepText(MARKET, drafts, {}), '["b"]');
  assert.equal(sweepText(DAYS, {}, {}), '[7]');
  assert.equal(sweepText(make({}), {}, {}), '');
  assert.equal(sweepText(make({}), {}, { alpha: '1, 2' }), '1, 2');
});

function sweepOf(counts: SweepItem['counts'], changes: Partial<SweepItem> = {}): SweepItem {
  const count = Object.values(counts).reduce((sum, some) => sum + some, 0);
  const isOpen = (counts.queued ?? 0) + (counts.running ?? 0) > 0;
  return {
    id: 'sweep',
    pipeline: 'train',
    version: 1,
    varied: ['market', 'alpha'],
    count,
    counts,
    is_open: isOpen,
    requested_by: 'edda',
    created_at: '2026-11-20T12:00:00Z',
    cancelled_at: null,
    url: '/sweep',
    ...changes
  };
}

const STANDINGS: [SweepItem['counts'], RunStatus, number, string][] = [
  [{ queued: 4 }, 'queued', 0, '4 queued'],
  [{ running: 4, failed: 1, succeeded: 9 }, 'running', 1, '9 succeeded, 1 failed, 4 running'],
  [{ succeeded: 4 }, 'succeeded', 0, '4 succeeded'],
  [{ succeeded: 3, kernel_died: 1 }, 'failed', 1, '3 succeeded, 1 kernel died'],
  [{ succeeded: 1, cancelled: 2, not_run: 1 }, 'cancelled', 3, '1 succeeded, 2 cancelled, 1 not run'],
  [{ cancelled: 1, lost: 1 }, 'failed', 2, '1 lost, 1 cancelled']
];

for (const [counts, status, lacking, text] of STANDINGS) {
  test(`sweep with ${text} is ${status} as a whole`, () => {
    const sweep = sweepOf(counts);
    assert.deepEqual([statusOf(sweep), missing(sweep), countsText(sweep)], [status, lacking, text]);
  });
}

test('runs of a sweep that have ended are counted, whatever their end', () => {
  assert.equal(ended(sweepOf({ succeeded: 2, failed: 1, running: 1, queued: 3, not_run: 1 })), 3);
});

test('runs of a sweep went wrong that have no result, but for those that nobody wanted', () => {
  assert.equal(failures(sweepOf({ succeeded: 2, failed: 1, lost: 1, cancelled: 3, queued: 4 })), 2);
  assert.equal(failures(sweepOf({ cancelled: 3, not_run: 1, running: 1 })), 0);
});

test('entries are runs and sweeps, newest first, and not too many', () => {
  const runs = Array.from({ length: 12 }, (_, index) => runAt(`2026-11-20T11:${10 + index}:00Z`));
  const entries = entriesOf(runs.toReversed(), [sweepOf({ queued: 1 })]);
  assert.equal(entries.length, 10);
  assert.deepEqual(entries.slice(0, 2).map(idOf), ['sweep', '2026-11-20T11:21:00Z']);
  assert.deepEqual(entries.slice(0, 2).map(isOpen), [true, false]);
});

function runAt(created_at: string): Run {
  return {
    id: created_at,
    pipeline: 'train',
    version: 1,
    parameters: {},
    status: 'succeeded',
    reason: '',
    requested_by: 'edda',
    created_at,
    ended_at: created_at,
    attempts: []
  };
}

test('numbers of runs are written as people do', () => {
  assert.deepEqual([1, 4, 1200].map(runsText), ['1 run', '4 runs', '1,200 runs']);
});

test('failures that were tried again are said shortly', () => {
  const lost = { number: 1, status: 'lost', reason: 'Its worker vanished.' } as const;
  const died = { number: 2, status: 'kernel_died', reason: '' } as const;
  assert.equal(attemptsText([]), '');
  assert.equal(attemptsText([lost]), 'Attempt 2; the first one: lost: Its worker vanished.');
  assert.equal(attemptsText([lost, died]), 'Attempt 3; the one before: kernel died');
});

function rowOf(changes: Partial<SweepRow>): SweepRow {
  return {
    position: 1,
    parameters: { market: 'a', alpha: 0.1 },
    run_id: 'abc',
    status: 'succeeded',
    reason: '',
    duration_s: 1,
    metrics: { val_mape: 4.123456 },
    is_best: false,
    page: null,
    ...changes
  };
}

test('columns are the parameters that vary and the first metrics', () => {
  const metrics = Array.from({ length: 10 }, (_, index) => `m${index}`);
  const table: Sweep = {
    ...sweepOf({ succeeded: 1 }),
    metrics: ['val_mape', ...metrics],
    sort: 'position',
    order: 'asc',
    offset: 0,
    limit: 50,
    total: 1,
    csv_url: '/csv',
    rows: [rowOf({})]
  };
  const columns = columnsOf(table);
  assert.deepEqual(
    columns.slice(0, 3).map(column => [column.sort, column.isNumber, column.text(rowOf({}))]),
    [
      ['parameter:market', false, 'a'],
      ['parameter:alpha', true, '0.1'],
      ['metric:val_mape', true, '4.123']
    ]
  );
  assert.equal(columns.length, 10);
  assert.equal(metricsLeftOut(table), 3);
});

test('metrics have as many digits as people compare, and none where there is no number', () => {
  assert.deepEqual([123456.7, 0.000123456, null, undefined].map(numberText), ['123500', '0.0001235', '–', '–']);
});

test('a second click on a column turns its order, another column begins anew', () => {
  const first = { sort: 'position', order: 'asc', offset: 50 } as const;
  assert.deepEqual(sortedBy(first, 'status'), { sort: 'status', order: 'asc', offset: 0 });
  assert.deepEqual(sortedBy(first, 'position'), { sort: 'position', order: 'desc', offset: 0 });
  assert.deepEqual(sortedBy({ ...first, order: 'desc' }, 'position'), { sort: 'position', order: 'asc', offset: 0 });
});
