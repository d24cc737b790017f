import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Parameter } from '../src/models';
import {
  carriedDrafts,
  changedValues,
  differences,
  fieldKind,
  initialDraft,
  isPickable,
  problemOf,
  problemsOf,
  readDraft,
  typeText,
  valueText
} from '../src/parameters';

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

const WIDGETS: [string, Partial<Parameter>, string][] = [
  ['a bool', { type: 'bool', default: true }, 'boolean'],
  ['an int', { type: 'int', default: 3 }, 'integer'],
  ['a float', { type: 'float' }, 'number'],
  ['a date', { type: 'date', default: '2026-01-31' }, 'date'],
  ['a moment', { type: 'datetime', default: '2026-01-31T12:00:00' }, 'datetime'],
  ['a moment in a zone', { type: 'datetime', default: '2026-01-31T12:00:00+02:00' }, 'datetime'],
  ['a path', { type: 'path', default: 'data/a.csv' }, 'text'],
  ['a list of dates', { type: 'list', item_type: 'date', default: ['2026-01-31'] }, 'json'],
  ['a text', { type: 'str', default: 'JFK-DL' }, 'text'],
  ['a text of several lines', { type: 'str', default: 'a\nb' }, 'lines'],
  ['choices', { type: 'str', default: 'a', choices: ['a', 'b'] }, 'choice'],
  ['a list with choices', { type: 'list', default: ['a'], choices: ['a', 'b'] }, 'choices'],
  ['a list', { type: 'list', default: [1, 2] }, 'json'],
  ['a dictionary', { type: 'dict', default: { a: 1 } }, 'json'],
  ['a type of a later version', { type: 'matrix', default: [[1]] }, 'json']
];

for (const [what, changes, kind] of WIDGETS) {
  test(`field of ${what} is ${kind}, and its first draft is the default`, () => {
    const parameter = make(changes);
    assert.equal(fieldKind(parameter), kind);
    assert.deepEqual(readDraft(parameter, initialDraft(parameter)), parameter.default);
  });
}

const READ: [string, Partial<Parameter>, string, unknown][] = [
  ['an integer with spaces', { type: 'int', default: 1 }, ' 42 ', 42],
  ['a negative integer', { type: 'int', default: 1 }, '-7', -7],
  ['an integer beyond 2^53', { type: 'int', default: 1 }, '9007199254740993', '9007199254740993'],
  ['a float in exponent form', {}, '1e-3', 0.001],
  ['an infinity', {}, 'inf', 'inf'],
  ['a choice that is a number', { type: 'int', default: 1, choices: [1, 2] }, '2', 2],
  ['an empty text', { type: 'str', default: 'a' }, '', ''],
  ['a list', { type: 'list', default: [] }, '[1, "a"]', [1, 'a']]
];

for (const [what, changes, text, value] of READ) {
  test(`reading ${what} gives its value`, () => {
    assert.deepEqual(readDraft(make(changes), { text, isNone: false }), value);
  });
}

const REFUSED: [string, Partial<Parameter>, string, string][] = [
  ['a fraction for an int', { type: 'int', default: 1 }, '1.5', 'Write a whole number.'],
  ['nothing for an int', { type: 'int', default: 1 }, '', 'Write a whole number.'],
  ['nothing for a float', {}, '', 'Write a number.'],
  ['words for a float', {}, 'much', 'Write a number.'],
  ['too little', { minimum: 0 }, '-1', 'At least 0.'],
  ['too much', { type: 'int', default: 1, maximum: 5 }, '6', 'At most 5.'],
  ['no date', { type: 'date', default: '2026-01-31' }, '', 'Choose a date.'],
  [
    'too early a date',
    { type: 'date', default: '2026-01-31', minimum: '2020-01-01' },
    '2019-12-31',
    'At least 2020-01-01.'
  ],
  [
    'too late a date',
    { type: 'date', default: '2026-01-31', maximum: '2026-12-31' },
    '2027-01-01',
    'At most 2026-12-31.'
  ],
  ['no path', { type: 'path', default: 'data' }, '', 'Write a path.'],
  [
    'no JSON of dates',
    { type: 'list', item_type: 'date', default: [] },
    '2024-01-31',
    'Write it as JSON, as in ["2024-01-31"].'
  ],
  ['no JSON', { type: 'list', default: [] }, '[1,', 'Write it as JSON, as in ["a", "b"].'],
  ['a list for a dictionary', { type: 'dict', default: {} }, '[]', 'Write a dictionary, as in {"a": 1}.']
];

for (const [what, changes, text, problem] of REFUSED) {
  test(`reading ${what} says what to write`, () => {
    assert.equal(problemOf(make(changes), { text, isNone: false }), problem);
  });
}

test('none is read as null only where the parameter allows it', () => {
  const none = { text: '1', isNone: true };
  assert.equal(readDraft(make({ is_optional: true }), none), null);
  assert.equal(readDraft(make({}), none), 1);
});

test('only a moment without zone and fractions is picked in a browser’s field', () => {
  const texts = ['', '2026-01-31T12:00', '2026-01-31T12:00:00', '2026-01-31T12:00:00+02:00'];
  assert.deepEqual(texts.map(isPickable), [true, true, true, false]);
});

test('only what was changed is sent', () => {
  const parameters = [
    make({ name: 'alpha' }),
    make({ name: 'limit', default: null }),
    make({ name: 'days', type: 'int', default: 28 })
  ];
  const drafts = {
    alpha: { text: '0.2', isNone: false },
    days: { text: '14', isNone: false }
  };
  assert.deepEqual(changedValues(parameters, drafts), { days: 14 });
});

test('a default that JSON can’t hold is no problem while nobody touches it', () => {
  const infinite = make({ default: null });
  assert.deepEqual(problemsOf([infinite], {}), {});
  assert.deepEqual(
    problemsOf([infinite], { alpha: { text: 'x', isNone: false } }),
    { alpha: 'Write a number.' }
  );
});

test('drafts are carried to another version where the parameter is the same', () => {
  const before = [make({}), make({ name: 'days', type: 'int', default: 28 })];
  const after = [make({ default: 0.5 }), make({ name: 'days', type: 'str', default: 'all' })];
  const drafts = { alpha: { text: '0.9', isNone: false }, days: { text: '7', isNone: false } };
  assert.deepEqual(carriedDrafts(before, after, drafts), { alpha: { text: '0.9', isNone: false } });
});

test('differences name what is not the default', () => {
  const parameters = [make({}), make({ name: 'market', type: 'str', default: 'JFK-DL' })];
  assert.deepEqual(differences({ alpha: 0.2, market: 'LGA-AA' }, parameters), [
    'market = "LGA-AA"'
  ]);
});

test('values and types are shown as Python writes them', () => {
  assert.deepEqual(
    [null, true, 'a', [1, null], { a: false }].map(valueText),
    ['None', 'True', '"a"', '[1, None]', '{"a": False}']
  );
  assert.equal(typeText(make({ type: 'int', minimum: 1, maximum: 500 })), 'int, 1 to 500');
  assert.equal(
    typeText(make({ type: 'date', minimum: '2020-01-01' })),
    'date, at least 2020-01-01'
  );
  assert.equal(typeText(make({ type: 'float', minimum: 0, is_optional: true })), 'float, at least 0 or None');
  assert.equal(typeText(make({ type: 'float', maximum: -1 })), 'float, at most -1');
  assert.equal(typeText(make({ type: 'list', item_type: 'int', is_optional: true })), 'list[int] or None');
});
