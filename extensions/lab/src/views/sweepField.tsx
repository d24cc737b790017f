import * as React from 'react';
import type { Json, Parameter } from '../models';
import { choiceText, draftOf, readDraft, type Draft, type Drafts } from '../parameters';
import { optionsOf, sweepFieldKind, sweepText, type SweepDrafts } from '../sweepValues';
import { Choices } from './choices';
import { Field, fieldId, fieldTexts } from './field';
import { RunField } from './runField';

interface SweepFieldProps {
  parameter: Parameter;
  drafts: Drafts;
  sweepDrafts: SweepDrafts;
  problem: string;
  onChange: (text: string) => void;
  /** Where a parameter takes only one value. */
  onDraft: (draft: Draft) => void;
}

/** One parameter of a sweep, with room for several values. */
export function SweepField(props: SweepFieldProps): React.JSX.Element {
  const { parameter, drafts, problem } = props;
  const kind = sweepFieldKind(parameter);
  if (kind === 'single') {
    return (
      <RunField
        parameter={parameter}
        draft={draftOf(parameter, drafts)}
        problem={problem}
        onChange={props.onDraft}
      />
    );
  }
  return (
    <Field parameter={parameter} isGroup={kind === 'options'} problem={problem}>
      <SweepWidget {...props} />
    </Field>
  );
}

function SweepWidget(props: SweepFieldProps): React.JSX.Element {
  const { parameter, drafts } = props;
  const text = sweepText(parameter, drafts, props.sweepDrafts);
  const common = {
    id: fieldId(parameter),
    className: 'nb2prod-input',
    spellCheck: false,
    'aria-invalid': props.problem !== '',
    'aria-describedby': fieldTexts(parameter),
    value: text,
    onChange: (event: React.ChangeEvent<HTMLInputElement | HTMLTextAreaElement>) =>
      props.onChange(event.target.value)
  };
  switch (sweepFieldKind(parameter)) {
    case 'options':
      return (
        <Choices
          choices={optionsOf(parameter)}
          chosen={JSON.parse(text) as Json[]}
          labelledBy={`${fieldId(parameter)}-label`}
          onChange={chosen => props.onChange(JSON.stringify(chosen))}
        />
      );
    case 'lines':
      return <textarea {...common} rows={3} title="One value on each line, as JSON" />;
    default:
      return (
        <input
          {...common}
          type="text"
          autoComplete="off"
          placeholder={choiceText(readValue(parameter, draftOf(parameter, drafts)))}
        />
      );
  }
}

/** What the field stands for while nothing is in it. */
function readValue(parameter: Parameter, draft: Draft): Json {
  try {
    return readDraft(parameter, draft);
  } catch {
    return parameter.default;
  }
}
