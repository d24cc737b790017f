import * as React from 'react';
import type { Parameter } from '../models';
import { typeText } from '../parameters';

/** What every field of a parameter has: name, type, help, and what is wrong with it. */
export function Field(props: {
  parameter: Parameter;
  /** Whether the name stands over several boxes. */
  isGroup: boolean;
  problem: string;
  children: React.ReactNode;
}): React.JSX.Element {
  const { parameter } = props;
  const id = fieldId(parameter);
  return (
    <div className="nb2prod-field" data-parameter={parameter.name}>
      <div className="nb2prod-row">
        {props.isGroup ? (
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
      {props.children}
      <p id={`${id}-problem`} className="nb2prod-problem" role="status">
        {props.problem}
      </p>
    </div>
  );
}

export function fieldId(parameter: Parameter): string {
  return `nb2prod-parameter-${parameter.name}`;
}

/** The texts that a field's widget points to. */
export function fieldTexts(parameter: Parameter): string {
  const id = fieldId(parameter);
  return parameter.help ? `${id}-help ${id}-problem` : `${id}-problem`;
}
