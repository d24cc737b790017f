import * as React from 'react';
import { diffLines, diffSummary, type DiffKind, type DiffLine } from '../diff';
import type { Proposal } from '../models';

const SIGNS: Record<DiffKind, string> = { added: '+', removed: '−', same: ' ', place: '' };
const WORDS: Record<DiffKind, string> = {
  added: 'added: ',
  removed: 'removed: ',
  same: '',
  place: ''
};

/** The script: what is new in it, or the whole. */
export function Script(props: { proposal: Proposal }): React.JSX.Element {
  const { proposal } = props;
  const lines = React.useMemo(() => diffLines(proposal.diff), [proposal.diff]);
  const [isWhole, setWhole] = React.useState(false);
  const hasDiff = proposal.former !== null && lines.length > 0;
  const shows = hasDiff && !isWhole;
  return (
    <>
      <p className="nb2prod-quiet nb2prod-row">
        <span>{summary(proposal, lines)}</span>
        {hasDiff && (
          <label>
            <input
              type="checkbox"
              checked={isWhole}
              onChange={event => setWhole(event.target.checked)}
            />{' '}
            Whole script
          </label>
        )}
      </p>
      {shows ? <Diff lines={lines} /> : <Whole script={proposal.script} />}
    </>
  );
}

function summary(proposal: Proposal, lines: readonly DiffLine[]): string {
  if (proposal.former === null) {
    return `The first version of ${proposal.pipeline}.`;
  }
  if (lines.length > 0) {
    return `Against ${proposal.former}: ${diffSummary(lines)}.`;
  }
  return proposal.is_unchanged
    ? `The same as ${proposal.former}.`
    : `The script is that of ${proposal.former}; its parameters or environment have changed.`;
}

function Diff(props: { lines: readonly DiffLine[] }): React.JSX.Element {
  return (
    <pre className="nb2prod-code" tabIndex={0} aria-label="Difference of the script">
      {props.lines.map((line, index) => (
        <span key={index} className={`nb2prod-line nb2prod-mod-${line.kind}`}>
          <span className="nb2prod-line-sign" aria-hidden="true">
            {SIGNS[line.kind]}
          </span>
          {WORDS[line.kind] && <span className="nb2prod-only-heard">{WORDS[line.kind]}</span>}
          <span>{line.text}</span>
          {'\n'}
        </span>
      ))}
    </pre>
  );
}

function Whole(props: { script: string }): React.JSX.Element {
  return (
    <pre className="nb2prod-code nb2prod-mod-whole" tabIndex={0} aria-label="The script">
      {props.script}
    </pre>
  );
}
