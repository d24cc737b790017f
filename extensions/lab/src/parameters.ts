/** From a version's parameters to the fields of a form, and from what stands in them to values. */

import type { Json, Parameter } from './models';

export type FieldKind =
  | 'boolean'
  | 'integer'
  | 'number'
  | 'date'
  | 'datetime'
  | 'choice'
  | 'choices'
  | 'text'
  | 'lines'
  | 'json';

/** What a person has put into a field. */
export interface Draft {
  text: string;
  isNone: boolean;
}

export type Drafts = Readonly<Record<string, Draft>>;

/** What can't be used, and why. */
export class InvalidValue extends Error {}

const WHOLE = /^[+-]?[0-9]+$/;
// A browser's field for a date with its time has neither a zone nor more than seconds.
const PICKABLE = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?$/;
const SPECIAL = /^[+-]?(inf|infinity|nan)$/i;

export function fieldKind(parameter: Parameter): FieldKind {
  if (parameter.choices.length) {
    return parameter.type === 'list' ? 'choices' : 'choice';
  }
  switch (parameter.type) {
    case 'bool':
      return 'boolean';
    case 'int':
      return 'integer';
    case 'float':
      return 'number';
    case 'date':
      return 'date';
    case 'datetime':
      return 'datetime';
    case 'path':
    case 'str':
      return typeof parameter.default === 'string' && parameter.default.includes('\n')
        ? 'lines'
        : 'text';
    default:
      return 'json';
  }
}

/** Whether a browser's field for a date with its time can hold a text. */
export function isPickable(text: string): boolean {
  return text === '' || PICKABLE.test(text);
}

/** What a field shows before anybody has touched it. */
export function initialDraft(parameter: Parameter): Draft {
  return valueDraft(parameter, parameter.default);
}

function valueDraft(parameter: Parameter, value: Json): Draft {
  return { text: draftText(parameter, value), isNone: value === null };
}

/** Drafts with the values of a run. */
export function draftsOf(
  parameters: readonly Parameter[],
  values: Readonly<Record<string, Json>>
): Drafts {
  const drafts: Record<string, Draft> = {};
  for (const parameter of parameters) {
    const value = values[parameter.name];
    if (value !== undefined) {
      drafts[parameter.name] = valueDraft(parameter, value);
    }
  }
  return drafts;
}

function draftText(parameter: Parameter, value: Json): string {
  const kind = fieldKind(parameter);
  if (kind === 'choice' || kind === 'choices') {
    return JSON.stringify(value ?? (kind === 'choices' ? [] : (parameter.choices[0] ?? null)));
  }
  if (value === null) {
    return kind === 'boolean' ? 'false' : '';
  }
  if (typeof value === 'string' && kind !== 'json') {
    return value;
  }
  return written(value, JSON_WORDS);
}

/** The value of a field, as JSON; throws `InvalidValue` with a sentence for the person. */
export function readDraft(parameter: Parameter, draft: Draft): Json {
  if (draft.isNone && parameter.is_optional) {
    return null;
  }
  const kind = fieldKind(parameter);
  switch (kind) {
    case 'boolean':
      return draft.text === 'true';
    case 'integer':
      return readInteger(parameter, draft.text.trim());
    case 'number':
      return readNumber(parameter, draft.text.trim());
    case 'date':
    case 'datetime':
      return readDate(parameter, draft.text);
    case 'choice':
    case 'choices':
      return JSON.parse(draft.text) as Json;
    case 'text':
    case 'lines':
      if (draft.text === '' && parameter.type === 'path') {
        throw new InvalidValue('Write a path.');
      }
      return draft.text;
    case 'json':
      return readJson(parameter, draft.text);
  }
}

function readInteger(parameter: Parameter, text: string): Json {
  if (!WHOLE.test(text)) {
    throw new InvalidValue('Write a whole number.');
  }
  const value = Number(text);
  requireRange(parameter, value);
  // A number beyond 2^53 would lose digits here; the workspace reads it from its text.
  return Number.isSafeInteger(value) ? value : text;
}

function readNumber(parameter: Parameter, text: string): Json {
  if (SPECIAL.test(text)) {
    return text;
  }
  const value = Number(text);
  if (text === '' || !Number.isFinite(value)) {
    throw new InvalidValue('Write a number.');
  }
  requireRange(parameter, value);
  return value;
}

function readDate(parameter: Parameter, text: string): Json {
  if (text === '') {
    throw new InvalidValue('Choose a date.');
  }
  if (fieldKind(parameter) === 'date') {
    // Days as ISO 8601 has them are in the order of their texts.
    requireRange(parameter, text);
  }
  return text;
}

function requireRange(parameter: Parameter, value: number | string): void {
  const { minimum, maximum } = parameter;
  if (minimum !== null && isBelow(value, minimum)) {
    throw new InvalidValue(`At least ${minimum}.`);
  }
  if (maximum !== null && isBelow(maximum, value)) {
    throw new InvalidValue(`At most ${maximum}.`);
  }
}

function isBelow(first: number | string, second: number | string): boolean {
  return typeof first === 'number' && typeof second === 'number'
    ? first < second
    : String(first) < String(second);
}

function readJson(parameter: Parameter, text: string): Json {
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch {
    throw new InvalidValue(`Write it as JSON, as in ${example(parameter)}.`);
  }
  const isRight =
    parameter.type === 'list'
      ? Array.isArray(value)
      : parameter.type !== 'dict' ||
        (typeof value === 'object' && value !== null && !Array.isArray(value));
  if (!isRight) {
    throw new InvalidValue(`Write a ${typeWord(parameter)}, as in ${example(parameter)}.`);
  }
  return value;
}

const EXAMPLES: Readonly<Record<string, string>> = {
  int: '[1, 2]',
  float: '[1, 2]',
  bool: '[true, false]',
  date: '["2024-01-31"]',
  datetime: '["2024-01-31T12:00"]',
  path: '["data/a.csv"]'
};

function example(parameter: Parameter): string {
  if (parameter.type === 'dict') {
    return '{"a": 1}';
  }
  return EXAMPLES[parameter.item_type ?? ''] ?? '["a", "b"]';
}

function typeWord(parameter: Parameter): string {
  return parameter.type === 'dict' ? 'dictionary' : 'list';
}

/** What is wrong with a field; empty where nothing is. */
export function problemOf(parameter: Parameter, draft: Draft): string {
  try {
    readDraft(parameter, draft);
    return '';
  } catch (error) {
    if (error instanceof InvalidValue) {
      return error.message;
    }
    throw error;
  }
}

/** What is wrong with the form, by parameter. */
export function problemsOf(
  parameters: readonly Parameter[],
  drafts: Drafts
): Record<string, string> {
  const problems: Record<string, string> = {};
  for (const parameter of parameters) {
    const problem = isTouched(parameter, drafts) ? problemOf(parameter, draftOf(parameter, drafts)) : '';
    if (problem) {
      problems[parameter.name] = problem;
    }
  }
  return problems;
}

/**
 * The values to send: only those that differ from the defaults, which the workspace knows
 * better than a form does (a browser has no infinity in JSON, and no large integers).
 */
export function changedValues(
  parameters: readonly Parameter[],
  drafts: Drafts
): Record<string, Json> {
  const values: Record<string, Json> = {};
  for (const parameter of parameters) {
    if (isTouched(parameter, drafts)) {
      values[parameter.name] = readDraft(parameter, draftOf(parameter, drafts));
    }
  }
  return values;
}

export function draftOf(parameter: Parameter, drafts: Drafts): Draft {
  return drafts[parameter.name] ?? initialDraft(parameter);
}

export function isTouched(parameter: Parameter, drafts: Drafts): boolean {
  const draft = drafts[parameter.name];
  const first = initialDraft(parameter);
  return (
    draft !== undefined &&
    (draft.isNone !== first.isNone || (!draft.isNone && draft.text !== first.text))
  );
}

/** Drafts that still mean something for the parameters of another version. */
export function carriedDrafts(
  before: readonly Parameter[],
  after: readonly Parameter[],
  drafts: Drafts
): Drafts {
  const kept: Record<string, Draft> = {};
  for (const parameter of after) {
    const former = before.find(item => item.name === parameter.name);
    const draft = drafts[parameter.name];
    const isSame =
      former !== undefined &&
      JSON.stringify([former.type, former.choices]) ===
        JSON.stringify([parameter.type, parameter.choices]);
    if (isSame && draft !== undefined && isTouched(former, drafts)) {
      kept[parameter.name] = draft;
    }
  }
  return kept;
}

const PYTHON = { null: 'None', true: 'True', false: 'False' } as const;
const JSON_WORDS = { null: 'null', true: 'true', false: 'false' } as const;

/** A value as Python writes it. */
export function valueText(value: Json): string {
  return written(value, PYTHON);
}

/** A value as it stands beside a box or in a list: texts without quotes. */
export function choiceText(value: Json): string {
  return typeof value === 'string' ? value : valueText(value);
}

function written(value: Json, words: Readonly<Record<'null' | 'true' | 'false', string>>): string {
  if (value === null || typeof value === 'boolean') {
    return words[String(value) as keyof typeof words];
  }
  if (Array.isArray(value)) {
    return `[${value.map(item => written(item, words)).join(', ')}]`;
  }
  if (typeof value === 'object') {
    const items = Object.entries(value).map(
      ([key, item]) => `${JSON.stringify(key)}: ${written(item, words)}`
    );
    return `{${items.join(', ')}}`;
  }
  return JSON.stringify(value);
}

/** The type as people write it. */
export function typeText(parameter: Parameter): string {
  let text = parameter.type;
  if (parameter.choices.length) {
    text = parameter.type === 'list' ? 'list' : `one of ${parameter.choices.length}`;
  } else if (parameter.item_type) {
    text = `${parameter.type}[${parameter.item_type}]`;
  }
  text += rangeText(parameter);
  return parameter.is_optional ? `${text} or None` : text;
}

function rangeText({ minimum, maximum }: Parameter): string {
  if (minimum !== null && maximum !== null) {
    return `, ${minimum} to ${maximum}`;
  }
  if (minimum !== null) {
    return `, at least ${minimum}`;
  }
  return maximum === null ? '' : `, at most ${maximum}`;
}

/** What a run's parameters change against the defaults, as in `alpha = 0.2`. */
export function differences(
  values: Readonly<Record<string, Json>>,
  parameters: readonly Parameter[]
): string[] {
  const defaults = new Map(parameters.map(item => [item.name, JSON.stringify(item.default)]));
  return Object.entries(values)
    .filter(([name, value]) => defaults.get(name) !== JSON.stringify(value))
    .map(([name, value]) => `${name} = ${valueText(value)}`);
}
