import assert from 'node:assert/strict';
import { test } from 'node:test';
import { confirmation, type Circumstances } from '../src/confirm';
import type { Proposal, RunEvent, RunEvents } from '../src/models';
import { FIRST_INTERVAL_MS, LAST_INTERVAL_MS, nextInterval } from '../src/polling';
import { advance, beginning, hasNews, placeText, share } from '../src/progress';

const FINE: Circumstances = { role: 'editor', isStale: false, isRenamed: false };

function proposal(changes: Partial<Proposal> = {}): Proposal {
  return {
    pipeline: 'train',
    reference: 'train@v2',
    former: 'train@v1',
    is_unchanged: false,
    is_blocked: false,
    digest: 'd',
    findings: [],
    parameters: [],
    script: '',
    diff: '',
    ...changes
  };
}

function event(kind: string, changes: Partial<RunEvent> = {}): RunEvent {
  return { kind, text: '', position: null, total: null, heading: '', stream: null, ...changes };
}

function news(events: RunEvent[], changes: Partial<RunEvents> = {}): RunEvents {
  return { attempt: 1, events, next: 1, status: 'running', reason: '', page: null, ...changes };
}

const FINDING = { code: 'x', severity: 'blocking', message: '', way_out: '', cell: 1, line: null } as const;

const OBSTACLES: [string, Partial<Proposal>, Partial<Circumstances>, string][] = [
  ['nothing is in the way', {}, {}, ''],
  ['a finding blocks', { is_blocked: true, findings: [FINDING] }, {}, 'Mend the blocking finding first.'],
  ['nothing has changed', { is_unchanged: true }, {}, 'Nothing has changed since train@v1.'],
  ['the notebook was edited', {}, { isStale: true }, 'The notebook has changed since it was checked.'],
  ['another name was typed', {}, { isRenamed: true }, 'The name has changed since the notebook was checked.'],
  ['the person is a viewer', {}, { role: 'viewer' }, 'Viewers can’t promote.']
];

for (const [what, changes, circumstances, reason] of OBSTACLES) {
  test(`confirmation where ${what}`, () => {
    assert.deepEqual(confirmation(proposal(changes), { ...FINE, ...circumstances }), {
      label: 'Promote as train@v2',
      isPossible: reason === '',
      reason
    });
  });
}

test('polling is each second while there is news, then slower up to a limit', () => {
  assert.equal(nextInterval(0), FIRST_INTERVAL_MS);
  assert.equal(nextInterval(10), FIRST_INTERVAL_MS);
  assert.ok(nextInterval(14) > nextInterval(12));
  assert.equal(nextInterval(1000), LAST_INTERVAL_MS);
});

test('progress follows the cells and their headings', () => {
  const started = advance(
    beginning('queued'),
    news([
      event('run_started', { total: 4 }),
      event('cell_started', { position: 1 }),
      event('output', { text: 'hello\n', stream: 'stdout' }),
      event('cell_ended'),
      event('cell_started', { position: 2, heading: 'Training' })
    ])
  );
  assert.equal(placeText(started), 'Cell 2 of 4: Training');
  assert.equal(share(started), 0.25);
  assert.deepEqual(started.log.lines, ['hello']);
});

test('progress of an ended run is full only where it succeeded', () => {
  const begun = advance(beginning('running'), news([event('run_started', { total: 2 }), event('cell_ended')]));
  const failed = advance(begun, news([], { status: 'failed', reason: 'ValueError: x', page: '/p' }));
  assert.equal(share(failed), 0.5);
  assert.equal(placeText(failed), '1 of 2 cells were run');
  assert.equal(failed.page, '/p');
  assert.equal(share(advance(begun, news([], { status: 'succeeded' }))), 1);
});

test('progress says what it waits for before the first cell', () => {
  assert.equal(placeText(beginning('queued')), 'Waiting to start');
  assert.equal(placeText(beginning('running')), 'Starting the kernel');
});

test('progress of a new attempt begins anew, and asks from its beginning', () => {
  const first = advance(
    beginning('running'),
    news([event('run_started', { total: 2 }), event('cell_ended')], { next: 90 })
  );
  const queued = news([], { status: 'queued', attempt: 2, next: 90 });
  assert.ok(hasNews(first, queued));
  const waiting = advance(first, queued);
  assert.deepEqual([waiting.next, waiting.done, placeText(waiting)], [0, 0, 'Waiting for attempt 2']);
  // Whoever looks seldom does not see it wait.
  const missed = advance(first, news([event('cell_ended')], { attempt: 2, next: 120 }));
  assert.deepEqual([missed.next, missed.done, missed.attempt], [0, 0, 2]);
});

test('progress of a run that waits takes nothing from a log that is left over', () => {
  const left = news([event('run_started', { total: 2 })], { status: 'queued', attempt: 2, next: 90 });
  assert.deepEqual(advance(beginning('queued', 2), left), beginning('queued', 2));
});

test('what is displayed stands on lines of its own in the log', () => {
  const shown = advance(
    beginning('running'),
    news([
      event('output', { text: 'a', stream: 'stdout' }),
      event('output', { text: '   x\n0  1' }),
      event('noted', { text: 'kept 2 files' })
    ])
  );
  assert.deepEqual(shown.log.lines, ['a', '   x', '0  1', 'kept 2 files']);
});
