import * as React from 'react';
import type { Finding, Severity } from '../models';
import { Words } from './words';

type Weight = Severity | 'silenced';

const GROUPS: readonly { weight: Weight; sign: string; one: string; many: string }[] = [
  { weight: 'blocking', sign: '✕', one: 'blocking finding', many: 'blocking findings' },
  { weight: 'warning', sign: '▲', one: 'warning', many: 'warnings' },
  { weight: 'note', sign: 'i', one: 'note', many: 'notes' },
  { weight: 'silenced', sign: '–', one: 'silenced finding', many: 'silenced findings' }
];

/** What the check has found, by weight; a click shows the cell. */
export function Findings(props: {
  findings: readonly Finding[];
  onChoose: (finding: Finding) => void;
}): React.JSX.Element {
  if (props.findings.length === 0) {
    return (
      <p className="nb2prod-quiet">
        <span className="nb2prod-sign nb2prod-mod-success" aria-hidden="true">
          ✓
        </span>{' '}
        The check found nothing.
      </p>
    );
  }
  return (
    <>
      {GROUPS.map(group => {
        const found = props.findings.filter(finding => weightOf(finding) === group.weight);
        return (
          found.length > 0 && (
            <section key={group.weight} className={`nb2prod-findings nb2prod-mod-${group.weight}`}>
              <h4>
                <span className="nb2prod-sign" aria-hidden="true">
                  {group.sign}
                </span>{' '}
                {found.length} {found.length === 1 ? group.one : group.many}
              </h4>
              <ul>
                {found.map((finding, index) => (
                  <FindingItem key={index} finding={finding} onChoose={props.onChoose} />
                ))}
              </ul>
            </section>
          )
        );
      })}
    </>
  );
}

function FindingItem(props: {
  finding: Finding;
  onChoose: (finding: Finding) => void;
}): React.JSX.Element {
  const { finding } = props;
  const aside = isSilenced(finding) ? (finding.silenced_because ?? '') : finding.way_out;
  const text = (
    <>
      <span className="nb2prod-finding-message">
        <Words text={finding.message} />
      </span>
      {aside && (
        <span className="nb2prod-finding-way-out">
          {isSilenced(finding) ? 'Silenced: ' : '→ '}
          <Words text={aside} />
        </span>
      )}
    </>
  );
  if (finding.cell === null) {
    return (
      <li className="nb2prod-finding" data-code={finding.code}>
        {text}
      </li>
    );
  }
  return (
    <li data-code={finding.code}>
      <button
        type="button"
        className="nb2prod-finding nb2prod-mod-link"
        title="Show this cell"
        onClick={() => props.onChoose(finding)}
      >
        <span className="nb2prod-place">{placeOf(finding)}</span>
        {text}
      </button>
    </li>
  );
}

/** Whether the author has said, with a reason, that it does not count. */
export function isSilenced(finding: Finding): boolean {
  return typeof finding.silenced_because === 'string';
}

function weightOf(finding: Finding): Weight {
  return isSilenced(finding) ? 'silenced' : finding.severity;
}

function placeOf(finding: Finding): string {
  const line = finding.line === null ? '' : `, line ${finding.line}`;
  return `Cell ${finding.cell ?? ''}${line}`;
}
