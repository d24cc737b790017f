import * as React from 'react';
import type { Json, Parameter } from '../models';
import { fieldKind, typeText, valueText, type Draft } from '../parameters';

interface FieldProps {
  parameter: Parameter;
  draft: Draft;
  problem: string;
  onChange: (draft: Draft) => void;
}

/** One parameter of the form: its name, help, widget, and what is wrong with it. */
export function RunField(props: FieldProps): React.JSX.Element {
  const { parameter, draft } = props;
  const id = `nb2prod-parameter-${parameter.name}`;
  const isGroup = fieldKind(parameter) === 'choices';
  return (
    <div className="nb2prod-field" data-parameter={parameter.name}>
      <div className="nb2prod-row">
        {isGroup ? (
          <span id={`${id}-label`} className="nb2prod-label">
            {parameter.name}
          </span>
        ) : (
          <label id={`${id}-label`} htmlFor={id}>
            {parameter.name}
          </label>
        )}
        <span className="nb2prod-type">{typeText(parameter)}</span>
      </div>
      {parameter.help && (
        <p id={`${id}-help`} className="nb2prod-quiet">
          {parameter.help}
        </p>
      )}
      <Widget {...props} id={id} />
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
      <p id={`${id}-problem`} className="nb2prod-problem" role="status">
        {props.problem}
      </p>
    </div>
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
    'aria-describedby': `${id}-help ${id}-problem`
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
      return <input {...common} type="date" value={draft.text} onChange={onText} />;
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
      return <Choices parameter={parameter} draft={draft} id={id} setText={setText} />;
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

function Choices(props: {
  parameter: Parameter;
  draft: Draft;
  id: string;
  setText: (text: string) => void;
}): React.JSX.Element {
  const { parameter } = props;
  const chosen = new Set((JSON.parse(props.draft.text) as Json[]).map(item => JSON.stringify(item)));
  const toggle = (key: string, isChosen: boolean): void => {
    if (isChosen) {
      chosen.add(key);
    } else {
      chosen.delete(key);
    }
    const kept = parameter.choices.filter(choice => chosen.has(JSON.stringify(choice)));
    props.setText(JSON.stringify(kept));
  };
  return (
    <div role="group" aria-labelledby={`${props.id}-label`} className="nb2prod-choices">
      {parameter.choices.map(choice => {
        const key = JSON.stringify(choice);
        return (
          <label key={key}>
            <input
              type="checkbox"
              checked={chosen.has(key)}
              disabled={props.draft.isNone && parameter.is_optional}
              onChange={event => toggle(key, event.target.checked)}
            />{' '}
            {choiceText(choice)}
          </label>
        );
      })}
    </div>
  );
}

function choiceText(choice: Json): string {
  return typeof choice === 'string' ? choice : valueText(choice);
}
