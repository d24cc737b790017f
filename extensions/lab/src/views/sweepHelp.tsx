import * as React from 'react';

const EXAMPLES: readonly (readonly [string, string])[] = [
  ['JFK-DL, LGA-AA', 'these two'],
  ['1..10', 'each whole number'],
  ['0.1..0.5 step 0.1', 'five numbers'],
  ['1e-4..1e-1 log 4', 'four, evenly by their size']
];

/** How several values are written. */
export function SweepHelp(): React.JSX.Element {
  return (
    <details className="nb2prod-help">
      <summary>How to write several values</summary>
      <dl>
        {EXAMPLES.map(([text, meaning]) => (
          <div key={text}>
            <dt>
              <code>{text}</code>
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
      <p>
        A comma separates them; a value with a comma stands in double quotes. Lists and
        dictionaries stand on a line each. Every value is run with every value of the other
        parameters; an empty field has the value that it shows in grey.
      </p>
    </details>
  );
}
