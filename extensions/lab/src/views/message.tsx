import * as React from 'react';

export type Tone = 'error' | 'warning' | 'success' | 'info';

// A sign and a word each, as not everybody tells colours apart.
const MARKS: Record<Tone, readonly [string, string]> = {
  error: ['✕', 'Error'],
  warning: ['▲', 'Attention'],
  success: ['✓', 'Done'],
  info: ['i', 'Note']
};

/** A sentence for the person, and what they can do about it. */
export function Message(props: {
  tone: Tone;
  children: React.ReactNode;
  action?: { label: string; run: () => void };
}): React.JSX.Element {
  const [sign, word] = MARKS[props.tone];
  return (
    <div
      className={`nb2prod-message nb2prod-mod-${props.tone}`}
      role={props.tone === 'error' ? 'alert' : 'status'}
    >
      <span className="nb2prod-sign" role="img" aria-label={word}>
        {sign}
      </span>
      <div className="nb2prod-message-text">{props.children}</div>
      {props.action && (
        <button type="button" className="nb2prod-button" onClick={props.action.run}>
          {props.action.label}
        </button>
      )}
    </div>
  );
}
