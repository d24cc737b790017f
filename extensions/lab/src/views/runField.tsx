import * as React from 'react';
import type { Json, Parameter } from '../models';
import { choiceText, fieldKind, isPickable, type Draft } from '../parameters';
import { Choices } from './choices';
import { Field, fieldId, fieldTexts } from './field';

interface FieldProps {
  parameter: Parameter;
  draft: Draft;
  problem: string;
  onChange: (draft: Draft) => void;
}

/** One parameter of the form: its name, help, widget, and what is wrong with it. */
export function RunField(props: FieldProps): React.JSX.Element {
  const { parameter, draft } = props;
  return (
    <Field
      parameter={parameter}
      isGroup={fieldKind(parameter) === 'choices'}
      problem={props.problem}
    >
      <Widget {...props} id={fieldId(parameter)} />
      {parameter.is_optional && (
        <label className="nb2prod-none">
          <input
            type="checkbox"
            checked={draft.isNone}
            onChange={event => props.onChange({ ...draft, isNone: event.target.checked })}
          />{' '}
          None
        </label>
      )}
    </Field>
  );
}

function Widget(props: FieldProps & { id: string }): React.JSX.Element {
  const { parameter, draft, id } = props;
  const setText = (text: string): void => props.onChange({ ...draft, text });
  const common = {
    id,
    className: 'nb2prod-input',
    disabled: draft.isNone && parameter.is_optional,
    'aria-invalid': props.problem !== '',
    'aria-describedby': fieldTexts(parameter)
  };
  const onText = (
    event: React.ChangeEvent<HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement>
  ): void => setText(event.target.value);
  switch (fieldKind(parameter)) {
    case 'boolean':
      return (
        <input
          {...common}
          type="checkbox"
          className="nb2prod-checkbox"
          checked={draft.text === 'true'}
          onChange={event => setText(String(event.target.checked))}
        />
      );
    case 'integer':
    case 'number':
      return (
        <input
          {...common}
          type={Number.isFinite(Number(draft.text)) ? 'number' : 'text'}
          step={fieldKind(parameter) === 'integer' ? 1 : 'any'}
          min={parameter.minimum ?? undefined}
          max={parameter.maximum ?? undefined}
          value={draft.text}
          onChange={onText}
        />
      );
    case 'date':
    case 'datetime':
      return (
        <input
          {...common}
          {...dateInput(parameter, draft)}
          min={parameter.minimum ?? undefined}
          max={parameter.maximum ?? undefined}
          value={draft.text}
          onChange={onText}
        />
      );
    case 'choice':
      return (
        <select {...common} value={draft.text} onChange={onText}>
          {parameter.choices.map(choice => (
            <option key={JSON.stringify(choice)} value={JSON.stringify(choice)}>
              {choiceText(choice)}
            </option>
          ))}
        </select>
      );
    case 'choices':
      return (
        <Choices
          choices={parameter.choices}
          chosen={JSON.parse(draft.text) as Json[]}
          labelledBy={`${id}-label`}
          isDisabled={common.disabled}
          onChange={chosen => setText(JSON.stringify(chosen))}
        />
      );
    case 'text':
      return <input {...common} type="text" value={draft.text} onChange={onText} />;
    case 'lines':
      return <textarea {...common} rows={4} value={draft.text} onChange={onText} />;
    case 'json':
      return (
        <textarea {...common} rows={2} spellCheck={false} value={draft.text} onChange={onText} />
      );
  }
}

function dateInput(parameter: Parameter, draft: Draft): React.InputHTMLAttributes<HTMLInputElement> {
  if (fieldKind(parameter) === 'date') {
    return { type: 'date' };
  }
  return isPickable(draft.text) ? { type: 'datetime-local', step: 1 } : { type: 'text' };
}
