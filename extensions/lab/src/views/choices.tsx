import * as React from 'react';
import type { Json } from '../models';
import { choiceText } from '../parameters';

/** Some of a few values, to be ticked; they are given in the order of the choices. */
export function Choices(props: {
  choices: readonly Json[];
  chosen: readonly Json[];
  labelledBy: string;
  isDisabled?: boolean;
  onChange: (chosen: Json[]) => void;
}): React.JSX.Element {
  const { choices } = props;
  const keys = new Set(props.chosen.map(value => JSON.stringify(value)));
  const toggle = (key: string, isChosen: boolean): void => {
    if (isChosen) {
      keys.add(key);
    } else {
      keys.delete(key);
    }
    props.onChange(choices.filter(choice => keys.has(JSON.stringify(choice))));
  };
  return (
    <div role="group" aria-labelledby={props.labelledBy} className="nb2prod-choices">
      {choices.map(choice => {
        const key = JSON.stringify(choice);
        return (
          <label key={key}>
            <input
              type="checkbox"
              checked={keys.has(key)}
              disabled={props.isDisabled}
              onChange={event => toggle(key, event.target.checked)}
            />{' '}
            {choiceText(choice)}
          </label>
        );
      })}
    </div>
  );
}
