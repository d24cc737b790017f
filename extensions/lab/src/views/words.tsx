import * as React from 'react';

/** A sentence of the workspace; what stands in backticks is code. */
export function Words(props: { text: string }): React.JSX.Element {
  // Every second part stood between two backticks; a single one is left as it is.
  const parts = props.text.split(/`([^`]+)`/);
  return (
    <>
      {parts.map((part, index) =>
        index % 2 === 1 ? <code key={index}>{part}</code> : <span key={index}>{part}</span>
      )}
    </>
  );
}
