import * as React from 'react';
import { runsText } from '../entries';
import type { FormSession } from '../formSession';

/** How many runs the sweep in the form makes. */
export function SweepCount(props: { form: FormSession }): React.JSX.Element {
  return (
    <p className="nb2prod-quiet" role="status">
      {countText(props.form)}
    </p>
  );
}

function countText(form: FormSession): string {
  if (form.hasProblems || form.refusal !== null) {
    return '';
  }
  if (form.isEmptySweep) {
    return 'Give at least one parameter several values.';
  }
  if (form.preview === null) {
    return 'Counting…';
  }
  const { count, varied } = form.preview;
  return varied.length === 0 ? runsText(count) : `${runsText(count)}, over ${varied.join(' × ')}`;
}
