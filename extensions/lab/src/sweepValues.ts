/** From the fields of a sweep to what is asked for; the workspace reads lists and ranges. */

import type { Axis, Json, Parameter } from './models';
import {
  draftOf,
  fieldKind,
  InvalidValue,
  isTouched,
  readDraft,
  type Draft,
  type Drafts
} from './parameters';

/**
 * How several values of a parameter are given: as a text with commas and ranges, by ticking some
 * of a few, one on each line; or only one value, as in the form of a run.
 */
export type SweepFieldKind = 'text' | 'options' | 'lines' | 'single';

/** What a person has put into the fields, by parameter; options as a list in JSON. */
export type SweepDrafts = Readonly<Record<string, string>>;

export function sweepFieldKind(parameter: Parameter): SweepFieldKind {
  switch (fieldKind(parameter)) {
    case 'boolean':
    case 'choice':
      return 'options';
    case 'json':
      return 'lines';
    case 'choices':
    case 'lines':
      return 'single';
    default:
      return 'text';
  }
}

/** The few values that a parameter may have. */
export function optionsOf(parameter: Parameter): Json[] {
  const values = fieldKind(parameter) === 'boolean' ? [true, false] : parameter.choices;
  return parameter.is_optional ? [...values, null] : values;
}

/** What a field shows. */
export function sweepText(parameter: Parameter, drafts: Drafts, sweepDrafts: SweepDrafts): string {
  const written = sweepDrafts[parameter.name];
  if (written !== undefined) {
    return written;
  }
  const draft = draftOf(parameter, drafts);
  switch (sweepFieldKind(parameter)) {
    case 'options':
      return JSON.stringify([readDraft(parameter, draft)]);
    case 'lines':
      return draft.text;
    default:
      return '';
  }
}

/** What is to be sent, by parameter; parameters that are left out have their defaults. */
export function axesOf(
  parameters: readonly Parameter[],
  drafts: Drafts,
  sweepDrafts: SweepDrafts
): Record<string, Axis> {
  const axes: Record<string, Axis> = {};
  for (const parameter of parameters) {
    const axis = axisOf(parameter, drafts, sweepDrafts);
    if (axis !== null) {
      axes[parameter.name] = axis;
    }
  }
  return axes;
}

/** What is wrong with the fields, by parameter, as far as it is seen here. */
export function sweepProblems(
  parameters: readonly Parameter[],
  drafts: Drafts,
  sweepDrafts: SweepDrafts
): Record<string, string> {
  const problems: Record<string, string> = {};
  for (const parameter of parameters) {
    try {
      axisOf(parameter, drafts, sweepDrafts);
    } catch (error) {
      if (!(error instanceof InvalidValue)) {
        throw error;
      }
      problems[parameter.name] = error.message;
    }
  }
  return problems;
}

function axisOf(parameter: Parameter, drafts: Drafts, sweepDrafts: SweepDrafts): Axis | null {
  const text = sweepDrafts[parameter.name];
  const kind = sweepFieldKind(parameter);
  if (text === undefined || kind === 'single' || (kind === 'text' && text.trim() === '')) {
    return isTouched(parameter, drafts) ? [readDraft(parameter, draftOf(parameter, drafts))] : null;
  }
  switch (kind) {
    case 'text':
      return text;
    case 'options':
      return chosen(text);
    case 'lines':
      return linesOf(parameter, text);
  }
}

function chosen(text: string): Json[] {
  const values = JSON.parse(text) as Json[];
  if (values.length === 0) {
    throw new InvalidValue('Choose at least one.');
  }
  return values;
}

/** One value that may take several lines, or one value on each line. */
function linesOf(parameter: Parameter, text: string): Json[] {
  try {
    return [readDraft(parameter, asDraft(text))];
  } catch (error) {
    const lines = text.split('\n').filter(line => line.trim() !== '');
    if (lines.length < 2) {
      throw error;
    }
    return lines.map(line => readDraft(parameter, asDraft(line)));
  }
}

function asDraft(text: string): Draft {
  return { text, isNone: false };
}
