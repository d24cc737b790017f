import * as React from 'react';
import type { Parameter } from '../models';
import { typeText, valueText } from '../parameters';

/** The parameters that the check has found. */
export function ParameterTable(props: { parameters: readonly Parameter[] }): React.JSX.Element {
  if (props.parameters.length === 0) {
    return (
      <p className="nb2prod-quiet">
        None. To have some, put the values that change from run to run into one cell, and tag it{' '}
        <code>parameters</code>.
      </p>
    );
  }
  return (
    <dl className="nb2prod-parameters">
      {props.parameters.map(parameter => (
        <div key={parameter.name}>
          <dt>
            <code>{parameter.name}</code>
            <span className="nb2prod-type">{typeText(parameter)}</span>
            <code className="nb2prod-default" title="Default">
              {valueText(parameter.default)}
            </code>
          </dt>
          {parameter.help && <dd>{parameter.help}</dd>}
        </div>
      ))}
    </dl>
  );
}
